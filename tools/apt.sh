# Sourced by the scripts here: apt with a configuration and lists of its own,
# so that a package may come from a suite that the machine does not use while
# the machine's apt stays as it is.


# prints "uri suite" for the machine's own sources of Debian packages, whether
# they stand in *.sources or *.list files
apt_sources()
{
    apt-get indextargets --format '$(COMPONENT) $(REPO_URI) $(RELEASE)' \
            'Created-By: Packages' 2>/dev/null \
        | awk '$1 == "main" && $2 !~ /^cdrom:/ && !seen[$2 $3]++ {
                   print $2, $3
               }'
}


# prints the mirror that the running release comes from; sid says of itself that
# it is the next release
apt_mirror()
{
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")

    apt_sources | awk -v suite="$codename" '
        $2 == suite || $2 ~ /^(oldstable|stable|testing|unstable|sid)$/ {
            print $1
            exit
        }'
}


# apt_private DIR COMMAND...: runs an apt command that knows the sources in
# DIR/sources.list and no others.  DIR is absolute and is the caller's.
# Signatures are checked; how old a list may be is not, as mirrors may lag.
apt_private()
{
    apt_dir=$1
    apt_command=$2
    shift 2

    mkdir -p "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial"

    timeout -k 10 300 "$apt_command" \
        -o Dir::Etc::sourcelist="$apt_dir/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null \
        -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State::lists="$apt_dir/lists" \
        -o Dir::Cache="$apt_dir/cache" \
        -o APT::Sandbox::User=root \
        -o APT::Get::List-Cleanup=false \
        -o Acquire::Check-Valid-Until=false \
        -o Acquire::Languages=none \
        -o Acquire::Retries=3 \
        -o Acquire::http::Timeout=30 \
        "$@" </dev/null
}


# the keys that Debian's archive is signed with
apt_keyring=/usr/share/keyrings/debian-archive-keyring.gpg
