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

submake = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))


help:
	@echo 'voicebridge $(VERSION)'
	@echo
	@echo '  make demo     from a bare Debian 12 to a finished simulated call'
	@echo '  make test     the same from bare, then every test'
	@echo
	@echo '  make deps     install what building, testing and the demo need'
	@echo '  make build    $(MODULE)'
	@echo '                NGINX_SRC=dir against that nginx source, CC=clang'
	@echo '  make install  the module and what belongs to it: DESTDIR, PREFIX'
	@echo '  make package  a source archive in $(BUILD)/'
	@echo
	@echo '  make check    two compilers, sanitizers, valgrind, poll; each alone:'
	@echo '                check-compilers check-sanitize check-valgrind check-poll'
	@echo '  make bench    the load rig and make bench-audio, the resampler'
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

build: $(MODULE)

.PHONY: build

$(BUILD)/configured-by: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CONFIGURED_BY)' | cmp -s - $@ || echo '$(CONFIGURED_BY)' > $@

$(BUILD)/nginx/objs/Makefile: config tools/configure $(BUILD)/configured-by \
		$(wildcard $(NGINX_TREE)/src/core/nginx.h $(NGINX_TREE)/conf_flags)
	@echo 'configuring for the nginx in $(NGINX_TREE)'
	@CC='$(CC)' CFLAGS='$(CFLAGS)' LDFLAGS='$(LDFLAGS)' \
		NGINX_CONFIGURE='$(NGINX_CONFIGURE)' \
		tools/configure $(BUILD)/nginx $(NGINX_SRC)

# nginx's own makefile knows what each object depends on
$(MODULE): $(BUILD)/nginx/objs/Makefile FORCE
	@$(submake) $(if $(V),,-s) -C $(BUILD)/nginx -f objs/Makefile modules
	@cmp -s $(BUILD)/nginx/objs/$(@F) $@ \
		|| cp $(BUILD)/nginx/objs/$(@F) $@

FORCE:

.PHONY: FORCE


# C unit tests: the rooms that know no nginx, in one archive

PURE = audio wire twilio elevenlabs api

PURE_SRCS = $(foreach room,$(PURE),$(wildcard src/$(room)/*.c))
PURE_OBJS = $(PURE_SRCS:src/%.c=$(BUILD)/pure/%.o)

UNITS = $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/*.c))

PURE_CFLAGS = -std=gnu11 -W -Wall -Wextra -Wpointer-arith \
              -Wno-unused-parameter -Werror \
              -Isrc $(PURE:%=-Isrc/%) -It/unit -MMD -MP

PURE_LIBS = -lyajl -lcrypto -lm

$(BUILD)/pure/%.o: src/%.c $(BUILD)/configured-by
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(PURE_CFLAGS) -c -o $@ $<

$(BUILD)/pure/libvb.a: $(PURE_OBJS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(BUILD)/unit/%: t/unit/%.c $(BUILD)/pure/libvb.a $(BUILD)/configured-by
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(PURE_CFLAGS) $(LDFLAGS) -o $@ $< \
		$(BUILD)/pure/libvb.a $(PURE_LIBS)

unit: $(UNITS)

.PHONY: unit

-include $(PURE_OBJS:.o=.d) $(UNITS:=.d)


# tests: t/lib/run bounds each file's time and ends what it leaves behind

test: deps
	@$(MAKE) --no-print-directory run-tests

run-tests: build unit
	@rm -rf $(BUILD)/t
	@VOICEBRIDGE_BUILD='$(abspath $(BUILD))' \
		prove -j $(JOBS) --exec t/lib/run \
		$(if $(TESTS),$(TESTS),$(UNITS) $(sort $(wildcard t/*.t))) \
		</dev/null

.PHONY: test run-tests


clean:
	rm -rf $(BUILD)

.PHONY: clean
