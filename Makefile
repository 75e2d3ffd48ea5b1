# voicebridge: one entry point.  `make` says what there is.

NGINX_SRC ?=
PREFIX ?= /usr
DESTDIR ?=

BUILD ?= build
CFLAGS ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
LDFLAGS ?= -Wl,-z,relro -Wl,-z,now

# processes at a time, where make was not given its own -j
JOBS ?= 2

# make test TESTS="t/00-load.t build/unit/t_wire"
TESTS ?=

NAME = voicebridge
VERSION = $(shell sed -n 's/^Changes with $(NAME) \([0-9.]*\).*/\1/p' CHANGES \
            | head -n 1)

MODULE = $(BUILD)/ngx_http_voicebridge_module.so

# V=1 shows every command
quiet = $(if $(V),,@)

submake = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))


help:
	@echo 'voicebridge $(VERSION)'
	@echo
	@echo '  make demo     from a bare Debian 12 to a finished simulated call'
	@echo '  make test     the same from bare, then every test'
	@echo
	@echo '  make deps     install what building, testing and the demo need'
	@echo '  make build    $(MODULE)'
	@echo '                and $(BUILD)/voicebridge, the command-line tool;'
	@echo '                NGINX_SRC=dir against that nginx source, CC=clang'
	@echo '  make install  the module and what belongs to it: DESTDIR, PREFIX'
	@echo '  make package  a source archive and a Debian package of the last commit'
	@echo
	@echo '  make check    two compilers, sanitizers, valgrind, poll; each alone:'
	@echo '                check-compilers check-sanitize check-valgrind check-poll'
	@echo '                check-static; check-matrix on three releases of Debian;'
	@echo '                check-packages, check-rpm, check-apk;'
	@echo '                check-arm64, what needs no nginx, under qemu;'
	@echo '                check-n8n, the example, with its engine'
	@echo '                check-dashboard, the page, in a browser'
	@echo '                check-grafana, the dashboard for it, by its types'
	@echo '  make bench    the load rig and make bench-audio, the resampler'
	@echo '  make guard-update  figures of t/guard.t, after a change worth its cost'
	@echo '  make fuzz     every parser for FUZZ_SECONDS=60 each'
	@echo '  make clean    remove $(BUILD)/'

.PHONY: help


deps:
	@tools/deps build test demo

.PHONY: deps


# the module

# what a configured tree depends on besides its files
CONFIGURED_BY = $(CC) $(CFLAGS) $(LDFLAGS) $(NGINX_SRC) $(NGINX_CONFIGURE) \
                $(CURDIR)

NGINX_TREE = $(if $(NGINX_SRC),$(NGINX_SRC),/usr/share/nginx/src)

build: $(MODULE) $(BUILD)/voicebridge

.PHONY: build

$(BUILD)/configured-by: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CONFIGURED_BY)' | cmp -s - $@ || echo '$(CONFIGURED_BY)' > $@

$(BUILD)/nginx/objs/Makefile: config config.make tools/configure \
		$(BUILD)/configured-by \
		$(wildcard $(NGINX_TREE)/src/core/nginx.h $(NGINX_TREE)/conf_flags)
	@echo 'configuring for the nginx in $(NGINX_TREE)'
	@CC='$(CC)' CFLAGS='$(CFLAGS)' LDFLAGS='$(LDFLAGS)' \
		NGINX_CONFIGURE='$(NGINX_CONFIGURE)' \
		tools/configure $(BUILD)/nginx $(NGINX_SRC)

# nginx's own makefile knows what each object depends on; an nginx that has the
# module mapped keeps the file it has
$(MODULE): $(BUILD)/nginx/objs/Makefile FORCE
	@$(submake) $(if $(V),,-s) -C $(BUILD)/nginx -f objs/Makefile modules
	@cmp -s $(BUILD)/nginx/objs/$(@F) $@ \
		|| { cp $(BUILD)/nginx/objs/$(@F) $@.new && mv -f $@.new $@; }

FORCE:

.PHONY: FORCE


# C unit tests: the rooms that know no nginx, in one archive

PURE = audio wire twilio elevenlabs api

PURE_SRCS = $(foreach room,$(PURE),$(wildcard src/$(room)/*.c))
PURE_OBJS = $(PURE_SRCS:src/%.c=$(BUILD)/pure/%.o)

# a program each; what several of them share is a header
PURE_UNITS = $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/*.c))

UNITS = $(PURE_UNITS) \
        $(patsubst t/unit/nginx/%.c,$(BUILD)/unit/%,$(wildcard t/unit/nginx/*.c))

PURE_CFLAGS = -std=gnu11 -W -Wall -Wextra -Wpointer-arith \
              -Wno-unused-parameter -Werror \
              -Isrc $(PURE:%=-Isrc/%) -It/unit -MMD -MP

PURE_LIBS = -lyajl -lcrypto -lm

$(BUILD)/pure/%.o: src/%.c $(BUILD)/configured-by
	@mkdir -p $(@D)
	$(quiet)$(CC) $(CFLAGS) $(PURE_CFLAGS) -c -o $@ $<

$(BUILD)/pure/libvb.a: $(PURE_OBJS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/unit/%: t/unit/%.c $(BUILD)/pure/libvb.a $(BUILD)/configured-by
	@mkdir -p $(@D)
	$(quiet)$(CC) $(CFLAGS) $(PURE_CFLAGS) $(LDFLAGS) -o $@ $< \
		$(BUILD)/pure/libvb.a $(PURE_LIBS)

# those that take a file of src/nginx in, and stand in for nginx themselves
NGINX_INCS = $(BUILD)/nginx/objs \
             $(patsubst %,$(BUILD)/nginx/src/%,core event event/modules \
                        event/quic os/unix http http/modules http/v2 http/v3)

$(BUILD)/unit/%: t/unit/nginx/%.c $(MODULE) $(BUILD)/pure/libvb.a \
                 $(BUILD)/configured-by
	@mkdir -p $(@D)
	$(quiet)$(CC) $(CFLAGS) $(PURE_CFLAGS) -D_GNU_SOURCE -Isrc/nginx \
		$(NGINX_INCS:%=-I%) \
		$(LDFLAGS) -o $@ $< $(BUILD)/pure/libvb.a $(PURE_LIBS)

unit: $(UNITS)

.PHONY: unit

-include $(PURE_OBJS:.o=.d) $(UNITS:=.d)


# instructions for a frame, which t/guard.t counts

GUARD = $(BUILD)/guard

$(GUARD): bench/guard.c $(BUILD)/pure/libvb.a $(BUILD)/configured-by
	$(quiet)$(CC) $(CFLAGS) $(PURE_CFLAGS) -DGUARD_FLAGS='"$(CFLAGS)"' \
		$(LDFLAGS) -o $@ $< $(BUILD)/pure/libvb.a $(PURE_LIBS)

# after a change that is worth what it costs
guard-update: $(GUARD)
	@VOICEBRIDGE_BUILD='$(abspath $(BUILD))' perl t/guard.t --update

.PHONY: guard-update


# the command-line tool; all of it but main() is an archive, for its tests

TOOL_SRCS = $(wildcard tool/*.c)
TOOL_OBJS = $(TOOL_SRCS:tool/%.c=$(BUILD)/tool/%.o)

TOOL_CFLAGS = $(PURE_CFLAGS) -Itool -D_GNU_SOURCE \
              -DVB_TOOL_VERSION='"$(VERSION)"'

TOOL_LIBS = -lcurl $(PURE_LIBS)

$(BUILD)/tool/%.o: tool/%.c $(BUILD)/configured-by
	@mkdir -p $(@D)
	$(quiet)$(CC) $(CFLAGS) $(TOOL_CFLAGS) -c -o $@ $<

$(BUILD)/tool/libtool.a: $(filter-out %/vb_main.o,$(TOOL_OBJS))
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/voicebridge: $(BUILD)/tool/vb_main.o $(BUILD)/tool/libtool.a \
		$(BUILD)/pure/libvb.a
	$(quiet)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS)

tool: $(BUILD)/voicebridge

.PHONY: tool

$(BUILD)/unit/tool_%: t/unit/tool_%.c $(BUILD)/tool/libtool.a \
		$(BUILD)/pure/libvb.a $(BUILD)/configured-by
	@mkdir -p $(@D)
	$(quiet)$(CC) $(CFLAGS) $(TOOL_CFLAGS) $(LDFLAGS) -o $@ $< \
		$(BUILD)/tool/libtool.a $(BUILD)/pure/libvb.a $(TOOL_LIBS)

-include $(TOOL_OBJS:.o=.d)


# tests: t/lib/run bounds each file's time and ends what it leaves behind, and
# t/lib/prove says at its end what failed

test: deps
	@$(MAKE) --no-print-directory run-tests

run-tests: build $(if $(TESTS),$(filter $(BUILD)/unit/%,$(TESTS)),unit) \
		$(if $(TESTS),$(if $(filter t/guard.t,$(TESTS)),$(GUARD)),$(GUARD))
	@VOICEBRIDGE_BUILD='$(abspath $(BUILD))' \
		t/lib/prove -j $(JOBS) \
		$(if $(TESTS),$(TESTS),$(UNITS) $(sort $(wildcard t/*.t))) \
		</dev/null

.PHONY: test run-tests


# a simulated call, or real ones with credentials in .env; DEMO_PORT=

demo: deps build
	@DEMO_PORT='$(DEMO_PORT)' sim/demo --build '$(BUILD)' </dev/null

.PHONY: demo


# further checks, each in a build directory of its own

check: check-compilers check-sanitize check-valgrind check-poll

check-deps:
	@tools/deps build test check

check-compilers: check-deps
	@for cc in gcc clang; do \
		$(MAKE) --no-print-directory BUILD=$(BUILD)/$$cc CC=$$cc \
			build unit || exit 1; \
		echo "$$cc: no warnings"; \
	done

# nginx itself of this source: Debian's has no poll, and its pools hide what a
# sanitizer looks for
CHECK_SRC = $(or $(NGINX_SRC), \
                 $(shell tools/nginx-source $(BUILD)/source), \
                 $(error there is no nginx source, set NGINX_SRC))

CHECK_CONFIGURE = --with-compat --with-debug --with-threads --with-pcre-jit \
                  --with-poll_module --with-http_ssl_module \
                  --with-http_v2_module --with-http_realip_module \
                  --with-http_auth_request_module \
                  --with-http_stub_status_module

nginx: build
	@$(submake) $(if $(V),,-s) -C $(BUILD)/nginx -f objs/Makefile binary

CHECK = $(MAKE) --no-print-directory NGINX_SRC='$(CHECK_SRC)' \
        NGINX_CONFIGURE='$(CHECK_CONFIGURE)'

check-poll: check-deps
	@$(CHECK) BUILD=$(BUILD)/poll nginx
	@TEST_NGINX_BINARY='$(abspath $(BUILD)/poll/nginx/objs/nginx)' \
		TEST_NGINX_EVENT_TYPE=poll \
		$(CHECK) BUILD=$(BUILD)/poll TESTS='$(or $(TESTS),$(wildcard t/*.t))' \
		run-tests

SANITIZE = -fsanitize=address,undefined

# clang's sanitizers are one library with one set of options.  The module has
# an ngx_modules[] of its own, beside nginx's: globals are known by their place.
# NGX_DEBUG_PALLOC: each allocation from a pool is one of its own
SANITIZE_FLAGS = CC=clang \
                 CFLAGS='-O1 -g -fno-omit-frame-pointer $(SANITIZE) \
                         -fsanitize-address-use-odr-indicator \
                         -DNGX_DEBUG_PALLOC=1' \
                 LDFLAGS='$(SANITIZE)'

# the module as a part of nginx: configure --add-module.  An nginx that is older
# than the compiler has warnings of its own; check-compilers wants none of ours
check-static: check-deps build
	@CC='$(CC)' CFLAGS='$(CFLAGS) -Wno-error' LDFLAGS='$(LDFLAGS)' \
		STATIC=yes \
		NGINX_CONFIGURE='$(CHECK_CONFIGURE)' \
		tools/configure $(BUILD)/static $(CHECK_SRC)
	@$(submake) $(if $(V),,-s) -C $(BUILD)/static -f objs/Makefile binary
	@echo "static: $$($(BUILD)/static/objs/nginx -v 2>&1)"
	@TEST_NGINX_BINARY='$(abspath $(BUILD)/static/objs/nginx)' \
		TEST_NGINX_LOAD_MODULES='' \
		$(MAKE) --no-print-directory \
		TESTS='$(or $(TESTS),$(wildcard t/*.t))' run-tests

# Debian's nginx of several releases, each in a bare system of its own; one of
# them with SUITES=trixie, one check with CHECKS=test
check-matrix:
	@tools/deps bare
	@CHECKS='$(CHECKS)' tools/matrix $(BUILD)/bare $(SUITES)

# Debian's packages, built, installed, used and removed in bare systems
check-packages:
	@tools/deps bare
	@tools/check-packages deb $(BUILD)/packages $(SUITES)

# those of other distributions, made in one, for Debian's nginx
check-rpm:
	@tools/deps bare
	@tools/check-packages rpm $(BUILD)/packages $(SUITES)

check-apk:
	@tools/deps bare
	@tools/check-packages apk $(BUILD)/packages $(SUITES)

# the pure rooms and the tool on another processor, in a bare system
check-arm64:
	@tools/deps bare
	@tools/check-arm64 $(BUILD)/bare $(SUITES)

# the tests that need no nginx; UNDER runs a program of another processor
run-units: $(PURE_UNITS) tool
	@prove -v -j $(JOBS) --exec '$(UNDER)' $(PURE_UNITS) </dev/null

check-sanitize: check-deps
	@ASAN_OPTIONS=detect_leaks=0 \
		$(CHECK) BUILD=$(BUILD)/sanitize $(SANITIZE_FLAGS) nginx
	@TEST_NGINX_BINARY='$(CURDIR)/tools/nginx-sanitize' \
		SANITIZED='$(abspath $(BUILD)/sanitize/nginx/objs/nginx)' \
		tools/reports $(BUILD)/sanitize/reports \
		$(CHECK) BUILD=$(BUILD)/sanitize $(SANITIZE_FLAGS) \
		TESTS='$(TESTS)' run-tests

# the module as it is, in the packaged nginx; without the tests that run no
# nginx, or one for each of hundreds of configurations
VALGRIND_TESTS = $(filter-out t/sources.t t/peers.t t/configuration.t, \
                              $(wildcard t/*.t))

check-valgrind: check-deps build
	@TEST_NGINX_BINARY='$(CURDIR)/tools/nginx-valgrind' \
		VOICEBRIDGE_TIME_FACTOR=5 \
		tools/reports $(BUILD)/valgrind/reports \
		$(MAKE) --no-print-directory \
		TESTS='$(or $(TESTS),$(VALGRIND_TESTS))' run-tests

# the example for n8n, by n8n's own engine: 550 megabytes from the npm registry.
# Debian 12's npm, 9.2, fails over an override of what is named by its URL
$(BUILD)/n8n/node_modules: t/n8n/package.json
	@command -v npm >/dev/null || tools/deps n8n
	@mkdir -p $(@D)
	@cp $< $(@D)/
	@cd $(@D) && npm exec --yes --package=npm@10 -- npm install \
		--ignore-scripts --omit=dev --omit=optional \
		--no-audit --no-fund --no-package-lock --loglevel=error </dev/null
	@touch $@

check-n8n: deps $(BUILD)/n8n/node_modules
	@$(MAKE) --no-print-directory TESTS=t/n8n.t run-tests

.PHONY: check-n8n

.PHONY: check check-apk check-arm64 check-deps check-compilers check-matrix \
	check-packages check-poll check-rpm check-sanitize check-static \
	check-valgrind nginx run-units


# the dashboard in Chromium; SCREENSHOTS=dir leaves some there

check-dashboard: build
	@tools/deps build dashboard
	@mkdir -p $(BUILD)/dashboard
	@cp t/dashboard/package.json t/dashboard/package-lock.json \
		$(BUILD)/dashboard
	@cd $(BUILD)/dashboard && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 \
		npm ci --ignore-scripts --no-audit --no-fund --silent </dev/null
	@VOICEBRIDGE_BUILD='$(abspath $(BUILD))' SCREENSHOTS='$(SCREENSHOTS)' \
		timeout -k 10 600 node --test t/dashboard/check.mjs </dev/null

.PHONY: check-dashboard


# the dashboard for Grafana, by the types of its schema: 26 megabytes from the
# npm registry
$(BUILD)/grafana/node_modules: t/grafana/package-lock.json
	@command -v npm >/dev/null || tools/deps grafana
	@mkdir -p $(@D)
	@cp t/grafana/package.json t/grafana/package-lock.json $(@D)
	@cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --silent \
		</dev/null
	@touch $@

check-grafana: $(BUILD)/grafana/node_modules
	@MODULES='$(abspath $(BUILD)/grafana)' \
		timeout -k 10 120 node t/grafana/check.mjs </dev/null

.PHONY: check-grafana


# fuzzing: fuzz/fuzz_NAME.c with seeds in fuzz/seeds/NAME/

FUZZ_SECONDS ?= 60

FUZZERS = $(patsubst fuzz/fuzz_%.c,%,$(wildcard fuzz/fuzz_*.c))

FUZZ_FLAGS = CC=clang \
             CFLAGS='-O1 -g -fno-omit-frame-pointer $(SANITIZE) \
                     -fno-sanitize-recover=all -fsanitize=fuzzer-no-link' \
             LDFLAGS='$(SANITIZE) -fsanitize=fuzzer'

fuzz:
	@tools/deps build fuzz
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz $(FUZZ_FLAGS) fuzzers
	@set -e; for name in $(FUZZERS); do \
		echo "$$name: $(FUZZ_SECONDS) s"; \
		mkdir -p $(BUILD)/fuzz/corpus/$$name fuzz/seeds/$$name; \
		$(BUILD)/fuzz/fuzz_$$name -max_total_time=$(FUZZ_SECONDS) \
			-timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
			-artifact_prefix=$(BUILD)/fuzz/found-$$name- \
			$(BUILD)/fuzz/corpus/$$name fuzz/seeds/$$name \
			> $(BUILD)/fuzz/$$name.log 2>&1 \
			|| { tail -n 40 $(BUILD)/fuzz/$$name.log; exit 1; }; \
		grep -E 'number_of_executed_units|average_exec_per_sec' \
			$(BUILD)/fuzz/$$name.log; \
	done

fuzzers: $(FUZZERS:%=$(BUILD)/fuzz_%)

$(BUILD)/fuzz_tool_%: fuzz/fuzz_tool_%.c $(BUILD)/tool/libtool.a \
		$(BUILD)/pure/libvb.a $(BUILD)/configured-by
	$(quiet)$(CC) $(CFLAGS) $(TOOL_CFLAGS) $(LDFLAGS) -o $@ $< \
		$(BUILD)/tool/libtool.a $(BUILD)/pure/libvb.a $(TOOL_LIBS)

$(BUILD)/fuzz_%: fuzz/fuzz_%.c $(BUILD)/pure/libvb.a $(BUILD)/configured-by
	$(quiet)$(CC) $(CFLAGS) $(PURE_CFLAGS) $(LDFLAGS) -o $@ $< \
		$(BUILD)/pure/libvb.a $(PURE_LIBS)

.PHONY: fuzz fuzzers


# measuring: bench/bench_NAME.c alone, bench/run for the load rig

BENCHES = $(patsubst bench/bench_%.c,$(BUILD)/bench_%, \
            $(wildcard bench/bench_*.c))

# the resamplers of others, where they are installed
BENCH_OTHERS = $(foreach other, \
    SPEEXDSP:speex/speex_resampler.h:speexdsp SOXR:soxr.h:soxr \
    SAMPLERATE:samplerate.h:samplerate,$(call BENCH_OTHER,$(subst :, ,$(other))))

BENCH_OTHER = $(if $(shell $(CC) -E -include $(word 2,$(1)) -x c /dev/null \
                               >/dev/null 2>&1 && echo yes), \
                   -DHAVE_$(word 1,$(1)) -l$(word 3,$(1)))

$(BUILD)/bench-others: FORCE
	@mkdir -p $(BUILD)
	@echo '$(BENCH_OTHERS)' | cmp -s - $@ || echo '$(BENCH_OTHERS)' > $@

$(BUILD)/bench_audio: $(BUILD)/bench-others

$(BUILD)/bench_%: bench/bench_%.c $(BUILD)/pure/libvb.a \
		$(BUILD)/configured-by
	$(quiet)$(CC) $(CFLAGS) $(PURE_CFLAGS) $(LDFLAGS) -o $@ $< \
		$(BUILD)/pure/libvb.a $(BENCH_OTHERS) $(PURE_LIBS)

bench: build $(BENCHES)
	@VOICEBRIDGE_BUILD='$(abspath $(BUILD))' bench/run

# make bench-audio RESPONSES=docs/resampler.png: the README's
RESPONSES ?= $(BUILD)/resampler.png

bench-audio:
	@tools/deps build
	@tools/deps bench || echo 'going on without what is missing'
	@$(MAKE) --no-print-directory $(BUILD)/bench_audio
	@$(BUILD)/bench_audio
	@$(BUILD)/bench_audio --responses > $(BUILD)/responses
	@gnuplot -e "data='$(BUILD)/responses'; png='$(RESPONSES)'" \
		bench/responses.gp && echo && ls -l $(RESPONSES)

.PHONY: bench bench-audio


# where packagers expect it

MODULES_PATH ?= $(PREFIX)/lib/nginx/modules
DOC_PATH ?= $(PREFIX)/share/doc/voicebridge
MAN_PATH ?= $(PREFIX)/share/man
COMPLETION_PATH ?= $(PREFIX)/share/bash-completion/completions

# as in the source, so that the documents lead to each other
DOCS = $(wildcard README.md CHANGES LICENSE nginx.conf.example docs/*.md \
                  docs/*.png examples/*/*)
MAN = $(wildcard docs/*.8 docs/*.7 docs/*.5 docs/*.1)

install: build
	install -d $(DESTDIR)$(MODULES_PATH) \
		$(addprefix $(DESTDIR)$(DOC_PATH)/,$(sort $(dir $(DOCS))))
	install -D -m 755 $(BUILD)/voicebridge \
		$(DESTDIR)$(PREFIX)/bin/voicebridge
	install -D -m 644 tool/voicebridge.bash \
		$(DESTDIR)$(COMPLETION_PATH)/voicebridge
	install -m 644 $(MODULE) $(DESTDIR)$(MODULES_PATH)/
	@for file in $(DOCS); do \
		install -m 644 $$file $(DESTDIR)$(DOC_PATH)/$$file || exit; \
	done
	$(foreach page,$(MAN),install -D -m 644 $(page) \
		$(DESTDIR)$(MAN_PATH)/man$(subst .,,$(suffix $(page)))/$(notdir \
		$(page));)

.PHONY: install


# the last commit's source, and its Debian package made from that
package:
	@tools/deps build package
	@rm -rf $(BUILD)/package
	@mkdir -p $(BUILD)/package
	@git archive --format=tar.gz --prefix=$(NAME)-$(VERSION)/ \
		-o $(BUILD)/package/$(NAME)-$(VERSION).tar.gz HEAD
	@tar -C $(BUILD)/package -xf $(BUILD)/package/$(NAME)-$(VERSION).tar.gz
	@cd $(BUILD)/package/$(NAME)-$(VERSION) && env -u MAKEFLAGS -u MAKELEVEL \
		dpkg-buildpackage -b -us -uc > ../package.log 2>&1 \
		|| { tail -n 30 ../package.log; exit 1; }
	@rm -rf $(BUILD)/package/$(NAME)-$(VERSION)
	@ls $(BUILD)/package/*.tar.gz $(BUILD)/package/*.deb

.PHONY: package


clean:
	rm -rf $(BUILD)

.PHONY: clean
