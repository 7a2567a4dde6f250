# What the scripts share. Sourced, not run; ROOT is set by the caller.

say() { printf 'kip: %s\n' "$*" >&2; }

# start_time PID : when a process began, in ticks; with its number it is that very process and no later one.
start_time() { local stat; stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; set -- ${stat##*) }; printf '%s\n' "${20}"; }

# is_process "PID START" : whether that very process still runs; a recycled number does not count, nor a zombie.
is_process() {
    local pid=${1% *} start=${1#* } stat
    stat=$(cat "/proc/$pid/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    [ "${stat:0:1}" != Z ] && [ "$(set -- $stat; printf '%s' "${20}")" = "$start" ]
}

# need_packages PACKAGE... : installs the Debian packages that are missing.
need_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        say "these Debian packages are missing: ${missing[*]}; install them as root: apt-get install -y ${missing[*]}"
        return 1
    fi
    say "installing ${missing[*]}"
    local log; log=$(mktemp)
    if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        say "the packages could not be installed"
        return 1
    fi
    rm -f "$log"
}

# What a local cell needs; the last two are for the sample images.
CELL_PACKAGES=(containerd runc containernetworking-plugins iproute2 nftables util-linux e2fsprogs busybox-static catatonit)

# What links the two programs, which are compiled to machine code; another linker that is there will do.
BUILD_PACKAGES=(gcc libc6-dev)

# build_kip : publishes host and agent when a source is newer than what there is.
build_kip() {
    local out="$ROOT/artifacts/kip"
    mkdir -p "$ROOT/artifacts"
    exec 9>"$ROOT/artifacts/build.lock"
    flock 9
    if [ ! -f "$out/built" ] || [ -n "$(find "$ROOT/src" "$ROOT/samples/images" "$ROOT"/Directory.*.props -type f -newer "$out/built" -print -quit)" ]; then
        if ! command -v clang >/dev/null; then need_packages "${BUILD_PACKAGES[@]}" || return 1; fi
        say "building (once)"
        local log; log=$(mktemp)
        # Of before the build: what is changed meanwhile is built next time.
        touch "$out.begun"
        if ! { dotnet publish "$ROOT/src/Kip.Agent" -c Release -o "$out/agent" --nologo -v q \
            && dotnet publish "$ROOT/src/Kip.Host" -c Release -o "$out" --nologo -v q; } >"$log" 2>&1; then
            cat "$log" >&2
            rm -f "$log"
            say "the build failed"
            exec 9>&-
            return 1
        fi
        rm -f "$log"
        mv "$out.begun" "$out/built"
    fi
    exec 9>&-
}

build_images() {
    local images="$ROOT/artifacts/images"
    exec 9>"$ROOT/artifacts/images.lock"
    flock 9
    "$ROOT/samples/images/make-images" "$images" >&2
    exec 9>&-
    export KIP_IMAGE_ARCHIVES="${KIP_IMAGE_ARCHIVES:-$images/pause.tar:$images/busybox.tar}"
}
