#!/usr/bin/env bash
# Collects the packages that benchmarks/gpu_session.py needs on a machine without a network, as wheels for CPython 3.12
# on x86-64 Linux. Torch, its CUDA libraries and the usual scientific packages are expected there.
#
#     benchmarks/gpu_wheels.sh FOLDER
set -euo pipefail
folder=${1:?give a folder for the wheels}
limit_mib=60
python=${PYTHON:-python3}
root=$(cd "$(dirname "$0")/.." && pwd)

needed=(
    annotated-types cffi cryptography dask distributed donfig google-crc32c locket msgpack numcodecs partd platformdirs pooch
    pycparser pydantic pydantic-core soundfile soxr tblib tornado typing-extensions typing-inspection zarr zarrs zict
)
platforms=()
for glibc in manylinux1 manylinux2014 manylinux_2_{17,24,27,28,31,34,35}; do
    platforms+=(--platform "${glibc}_x86_64")
done

# Without their dependencies: pip would fetch torch. What is missing shows in the session's first step.
"$python" -m pip --disable-pip-version-check download --quiet --no-deps --only-binary=:all: --implementation cp \
    --python-version 3.12 "${platforms[@]}" --constraint "$root/constraints.txt" --dest "$folder" "${needed[@]}"

mib=$(($(cat "$folder"/*.whl | wc -c) / 1048576))
echo "$(ls "$folder"/*.whl | wc -l) wheels, $mib MiB in $folder"
if ((mib >= limit_mib)); then
    echo "error: more than $limit_mib MiB" >&2
    exit 1
fi
