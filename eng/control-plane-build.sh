# How the programs of a Kubernetes control plane are had. Sourced by eng/control-plane, after eng/lib.sh.
#
# Debian has no kube-apiserver, but its source package of kubectl is the complete tree of Kubernetes with everything vendored. It is built
# with Debian's own Go. Everything, the compiler too, is unpacked into a folder that is deleted afterwards: nothing is installed, root is
# not needed, and the machine's own lists of packages are not touched.

KUBERNETES_VERSION=1.20.2
# Rises when the programs must be built anew although the version is the same.
BUILD_REVISION=1
PROGRAMS=(etcd kube-apiserver kube-controller-manager kube-scheduler)

control_plane_cache() { printf '%s\n' "${KIP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kip}/control-plane"; }

# find_programs : prints the folder that holds the programs, or nothing and fails.
find_programs() {
    local folder="${KIP_CONTROL_PLANE:-$(control_plane_cache)/$KUBERNETES_VERSION-$BUILD_REVISION}" program
    for program in "${PROGRAMS[@]}"; do
        if [ ! -x "$folder/$program" ]; then
            [ -z "${KIP_CONTROL_PLANE:-}" ] || say "KIP_CONTROL_PLANE is $folder, which has no program $program"
            return 1
        fi
    done
    printf '%s\n' "$folder"
}

# build_programs : builds them unless they are there; prints their folder. Two at once: the second waits and finds what the first made.
build_programs() {
    find_programs && return 0
    [ -z "${KIP_CONTROL_PLANE:-}" ] || return 1
    local cache target started=$SECONDS
    cache=$(control_plane_cache)
    target="$cache/$KUBERNETES_VERSION-$BUILD_REVISION"
    mkdir -p "$cache"
    exec 9>"$cache/build.lock"
    flock -n 9 || { say "waiting for another build of the control plane"; flock 9; }
    if ! find_programs; then
        # What a killed build left: whoever holds the lock is the only builder.
        rm -rf "$cache"/building.*
        say "building Kubernetes $KUBERNETES_VERSION's control plane from Debian's source package (minutes, and 1.5 GB while it lasts; once)"
        local work; work=$(mktemp -d "$cache/building.XXXXXX")
        # A shell of its own, because a function that is part of a condition does not stop at its first error.
        if ! "$BASH" -euo pipefail -c '. "$1"; build_in "$2"' build "$ROOT/eng/control-plane-build.sh" "$work" >"$work/log" 2>&1; then
            tail -n 40 "$work/log" >&2
            say "the control plane could not be built; a folder with the programs ${PROGRAMS[*]} can be named in KIP_CONTROL_PLANE instead"
            chmod -R u+w "$work" && rm -rf "$work"
            exec 9>&-
            return 1
        fi
        mv "$work/bin" "$target"
        chmod -R u+w "$work" && rm -rf "$work"
        say "the control plane was built in $((SECONDS - started)) s"
        find_programs
    fi
    exec 9>&-
}

build_in() {
    local work=$1 debian="$1/debian"
    local tree="$work/go/src/k8s.io/kubernetes"
    download "$work"

    # Without its tests the tree is a third smaller.
    mkdir -p "$tree" "$work/bin" "$work/tmp"
    tar -xzf "$work"/download/kubernetes_*.orig.tar.gz -C "$tree" --strip-components=1 \
        --exclude='*_test.go' --anchored --exclude="kubernetes-$KUBERNETES_VERSION/test" --exclude="kubernetes-$KUBERNETES_VERSION/LICENSES"
    # The vendored reflect2 reads the layout of maps that Go had before 1.18: kube-apiserver crashes on the first custom resource with labels.
    rm -rf "$tree/vendor/github.com/modern-go/reflect2"
    cp -r "$debian/usr/share/gocode/src/github.com/modern-go/reflect2" "$tree/vendor/github.com/modern-go/reflect2"

    export GOROOT="$debian/usr/lib/go-1.19" GOPATH="$work/go" GOCACHE="$work/cache" GOTMPDIR="$work/tmp" GO111MODULE=off CGO_ENABLED=0 GOFLAGS='-p=2 -trimpath'
    # The compiler is short-lived: let it collect garbage less often.
    export GOGC=400
    local go="$GOROOT/bin/go" version=k8s.io/kubernetes/vendor/k8s.io stamp='-s -w' package
    for package in client-go/pkg component-base; do
        stamp+=" -X $version/$package/version.gitVersion=v$KUBERNETES_VERSION -X $version/$package/version.gitMajor=1 -X $version/$package/version.gitMinor=20"
    done
    cd "$tree"

    # Debian leaves this generated file out, kube-apiserver does not compile without it.
    "$go" build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    local tagged
    tagged=$(grep -rl --include='*.go' -e '+k8s:openapi-gen=' pkg staging/src | grep -v /testdata/ | xargs -n1 dirname | sort -u |
        sed -e 's#^staging/src/#k8s.io/kubernetes/vendor/#' -e 's#^pkg/#k8s.io/kubernetes/pkg/#' | paste -sd,)
    "$work/openapi-gen" -O zz_generated.openapi --go-header-file hack/boilerplate/boilerplate.generatego.txt -i "$tagged" \
        -p k8s.io/kubernetes/pkg/generated/openapi --output-base "$work/go/src" -r "$work/openapi-violations"

    # Without the clouds' and Docker's code, which no test needs, it is much less work.
    local commands=(./cmd/kube-apiserver ./cmd/kube-controller-manager ./cmd/kube-scheduler)
    command -v kubectl >/dev/null || commands+=(./cmd/kubectl)
    "$go" build -tags providerless,dockerless -ldflags "$stamp" -o "$work/bin/" "${commands[@]}"
    cp "$debian/usr/bin/etcd" "$work/bin/etcd"
}

# download WORK : Kubernetes' source package into WORK/download; Go, etcd and reflect2 unpacked into WORK/debian.
download() {
    local work=$1 apt="$1/apt" list
    mkdir -p "$apt/sources" "$apt/state/lists/partial" "$apt/cache/archives/partial" "$work/download" "$work/debian"
    # The machine's own sources of bookworm, each also as a source of source packages. Debian installs both forms of file.
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$list" ] || continue
        sed -nE '/^deb .* bookworm([-/][a-z]+)? /{p; s/^deb /deb-src /p}' "$list" >"$apt/sources/${list##*/}.list"
    done
    for list in /etc/apt/sources.list.d/*.sources; do
        [ -f "$list" ] || continue
        # One paragraph, one source.
        awk -v RS= -v ORS='\n\n' '/(^|\n)Suites:[^\n]* bookworm([- \n]|$)/ { gsub(/(^|\n)(#|Types:)[^\n]*/, ""); sub(/^\n/, ""); print "Types: deb deb-src\n" $0 }' "$list" >"$apt/sources/${list##*/}"
    done
    find "$apt/sources" -type f -empty -delete
    if [ -z "$(ls "$apt/sources")" ]; then
        printf 'none of the sources in /etc/apt is of Debian bookworm, whose source package of Kubernetes is needed\n'
        return 1
    fi
    : >"$apt/none"
    local options=(-o "Dir::Etc::SourceList=$apt/none" -o "Dir::Etc::SourceParts=$apt/sources" -o "Dir::State=$apt/state"
        -o Dir::State::status=/var/lib/dpkg/status -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root)
    # A source without source packages (somebody else's repository) fails here and does not matter: what matters is found, or not, below.
    apt-get "${options[@]}" update || true
    cd "$work/download"
    apt-get "${options[@]}" source --download-only kubernetes
    apt-get "${options[@]}" download golang-1.19-go golang-1.19-src etcd-server golang-github-modern-go-reflect2-dev
    local package
    for package in *.deb; do dpkg-deb -x "$package" "$work/debian"; done
}
