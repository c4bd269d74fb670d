# Read by bin/start, bin/test and bin/lock: finds Python and keeps .venv as the requirements say.

say() { printf '%s\n' "$@"; }
stop() { printf '%s\n' "$*" >&2; exit 1; }

find_python() {
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        command -v "$python" >/dev/null 2>&1 || continue
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        "$python" -c 'import ensurepip, venv' 2>/dev/null && return 0
        broken=$python
    done
    [ -n "${broken:-}" ] && stop "Python is here, but it cannot make virtual environments.
On Debian or Ubuntu: sudo apt-get install python3-venv     Then run this again."
    stop "Waymark needs Python 3.11 or newer, and this machine has none.
On Debian or Ubuntu: sudo apt-get install python3 python3-venv
On macOS: brew install python@3.12, or the installer from python.org     Then run this again."
}

# install FILE: .venv holds exactly what FILE pins. A copy of FILE in .venv marks a finished installation.
install() {
    if cmp -s "$1" ".venv/$1" && .venv/bin/python -c '' 2>/dev/null; then return 0; fi
    find_python
    if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
        say "Making a virtual environment in .venv ..."
        rm -rf .venv
        "$python" -m venv .venv || stop "That did not work. The lines above say why."
    fi
    say "Installing what $1 pins (checked against its hashes) ..."
    # Not compiled ahead: what is used compiles itself on first use, and most is not.
    .venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-input --no-compile --require-hashes -r "$1" ||
        stop "The packages could not be installed. The lines above say why; run this again to go on."
    cp "$1" ".venv/$1"
}
