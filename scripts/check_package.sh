#!/usr/bin/env bash
# Build sdist and wheel, install the wheel into clean environments, core alone and with each extra, and try it there.
#   scripts/check_package.sh [FOLDER] [EXTRA...]      FOLDER keeps the environments (default: a temporary one)
# Takes about 3 minutes and 2 GB for the core and up to a minute for each extra. Run by hand before a release.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-$(mktemp -d)}
shift || true
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
python=${PYTHON:-python3.11}
torch=$(grep '^torch==' requirements/core.txt)

say() { printf '== %s\n' "$*"; }
pip() { "$1/bin/python" -m pip --disable-pip-version-check --quiet "${@:2}"; }

say "building"
[ -x "$folder/build/bin/python" ] || "$python" -m venv "$folder/build"
pip "$folder/build" install build
rm -rf "$folder/dist" "$folder/source"
# From what is committed, so that nothing that only lies here gets in.
mkdir "$folder/source" && git archive HEAD | tar -x -C "$folder/source"
"$folder/build/bin/python" -m build --outdir "$folder/dist" "$folder/source" >"$folder/build.log" 2>&1 ||
    { tail -20 "$folder/build.log" >&2; exit 1; }
wheel=$(ls "$folder"/dist/*.whl)
ls -l "$folder/dist"

say "everything below src/rac is in the wheel"
"$python" - "$wheel" "$folder/source/src" <<'PY'
import sys, zipfile
from pathlib import Path
names, source = set(zipfile.ZipFile(sys.argv[1]).namelist()), Path(sys.argv[2])
missing = [p for p in sorted(source.rglob("*")) if p.is_file() and p.relative_to(source).as_posix() not in names
           and ".egg-info" not in p.as_posix()]
sys.exit(f"not in the wheel: {[str(p) for p in missing]}" if missing else 0)
PY

core=$folder/core
if [ ! -e "$core/.done" ]; then
    say "core environment"
    rm -rf "$core"
    "$python" -m venv "$core"
    pip "$core" install "$torch"
    touch "$core/.done"
fi
pip "$core" install --force-reinstall --no-deps "$wheel"
pip "$core" install "$wheel"
"$core/bin/python" -m pip check

say "the core works without any extra"
try=$folder/try
rm -rf "$try" && mkdir -p "$try/docs"
(
    cd "$try"
    export RAC_CACHE=$try/cache HF_HUB_OFFLINE=1
    printf '# Tea\n\n## Green\n\nSteep it for two minutes.\n' >docs/tea.md
    printf '<title>Coffee</title><h1>Coffee</h1><h2>Green</h2><p>Unroasted beans.' >docs/coffee.html
    printf '{"id": "q", "query": "green", "passages": [{"id": "p", "title": "Tea", "text": "Green tea"}]}\n' >examples.jsonl
    printf '{"id": "q", "question": "Do you mean green tea or green beans?"}\n' >predictions.jsonl
    "$core/bin/rac" --version
    "$core/bin/python" -m rac --help >/dev/null
    "$core/bin/rac" index docs -o i && "$core/bin/rac" search i "green tea" >/dev/null
    # Captured: `grep -q` would close the pipe early, which pipefail takes for a failure.
    again=$("$core/bin/rac" index docs -o i 2>&1)
    [[ $again == *"unchanged: 2 files"* ]] || { echo "index again: $again" >&2; exit 1; }
    "$core/bin/rac" evaluate predictions.jsonl --examples examples.jsonl >/dev/null
    "$core/bin/rac" recipe --help >/dev/null
    "$core/bin/rac" bootstrap docs -o data --examples 2 >/dev/null
    completed=$(_RAC_COMPLETE=complete_bash COMP_WORDS="rac boot" COMP_CWORD=1 "$core/bin/rac" || true)
    [[ $completed == bootstrap* ]] || { echo "completion: $completed" >&2; exit 1; }
    # The embedded model is no dependency, so there is a problem, and only that one.
    if "$core/bin/rac" doctor --no-probe >doctor.txt; then echo "doctor saw no problem" >&2; exit 1; fi
    [[ $(grep -c '^PROBLEM' doctor.txt) == 1 ]] || { cat doctor.txt >&2; exit 1; }
    grep -A1 '^PROBLEM' doctor.txt
)

if [ $# -gt 0 ]; then
    extras=("$@")
else
    mapfile -t extras < <("$core/bin/python" -c '
import importlib.metadata as m
print("\n".join(m.metadata("rac-clarify").get_all("Provides-Extra")))')
fi
for extra in "${extras[@]}"; do
    say "extra $extra"
    rm -rf "$folder/extra"
    # Hard links: a copy in seconds; pip replaces files and never writes into them.
    cp -al "$core" "$folder/extra"
    pip "$folder/extra" install "$wheel[$extra]"
    "$folder/extra/bin/python" -m pip check
    "$folder/extra/bin/python" - "$extra" <<'PY'
import importlib, importlib.metadata as m, sys
from packaging.requirements import Requirement
wanted = [Requirement(r).name for r in m.requires("rac-clarify") if f'extra == "{sys.argv[1]}"' in r.replace("'", '"')]
names = {}
for module, distributions in m.packages_distributions().items():
    for distribution in distributions:
        names.setdefault(distribution.lower().replace("_", "-"), []).append(module)
for distribution in wanted:
    for module in names[distribution.lower().replace("_", "-")]:
        if module.isidentifier() and not module.startswith("_"):
            importlib.import_module(module)
print("   imports", ", ".join(wanted))
PY
done
say "all of it works"
