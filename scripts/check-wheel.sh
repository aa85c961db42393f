#!/usr/bin/env bash
# Build the wheel, install it without development dependencies in a clean environment, and run the
# program from outside the repository: a missing dependency or data file shows here.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
.venv/bin/python -m build --wheel --outdir "$folder" . >"$folder/build.log" 2>&1 || { cat "$folder/build.log"; exit 1; }
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check -c constraints.txt "$folder"/*.whl 2> >(grep -v '^WARNING' >&2)
cp -r examples/small "$folder/small"
cd "$folder"
export PATH="$folder/venv/bin:$PATH" GOVCLOUD_LANG=en
govcloud version
govcloud --help >/dev/null
govcloud init "$folder/city" >/dev/null
export GOVCLOUD_WORKSPACE="$folder/city/.govcloud"
govcloud apply -f small/platform.yaml
govcloud submit -f small/department.yaml --title "wheel check"
govcloud requests
echo "The wheel installs and runs."
