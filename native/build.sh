#!/usr/bin/env bash
# Compiles native/kernels into the images that embed-cuda carries, their index, and the hash of the sources.
# Needs nvcc 13.0 and a JDK; no GPU. Takes a few minutes. A driver takes machine code of its own device only (or of a
# lower minor version of it), and not from a newer CUDA than itself:
#   sm_75, 80, 86, 89, 90     by the PTX compiler of CUDA 12.0 in the JCuda natives: any driver from 12.0
#   sm_100, 120               by nvcc: drivers from 13.0
#   PTX 7.8 for compute_80    compiled by the driver on any other device
set -euo pipefail
cd "$(dirname "$0")/.."

kernels=native/kernels
images=embed-cuda/src/main/resources/io/embed4j/cuda/kernels
work=native/build
oldest_driver=12020 # as io.embed4j.cuda.natives.DriverVersion
nvcc_driver=13000

command -v nvcc >/dev/null || { echo "native/build.sh: There is no nvcc on the PATH; install CUDA 13.0." >&2; exit 1; }
nvcc --version | grep -q 'release 13\.' || { echo "native/build.sh: Found $(nvcc --version | grep release), want release 13." >&2; exit 1; }

mkdir -p "$work" "$images"
for artifact in org.jcuda:jcuda:12.6.0:jar org.jcuda:jcuda-natives:12.6.0:jar:linux-x86_64 org.tukaani:xz:1.12:jar; do
    ./mvnw -q -N dependency:copy -Dartifact=$artifact -DoutputDirectory="$PWD/$work/jars"
done
builder() { java -cp "$work/jars/*" native/KernelImageBuilder.java "$@"; }

# One translation unit of all operations gives one image.
(cd "$kernels" && LC_ALL=C ls ./*.cu) | sed 's|^\./\(.*\)|#include "\1"|' > "$work/all_kernels.cu"
compile() { nvcc -std=c++17 -Werror all-warnings -I"$kernels" "$@" "$work/all_kernels.cu"; }

rm -f "$images"/*
index="$images/index.txt"
echo "# image, kind, compute capability, first driver version; written by native/build.sh" > "$index"
add() { # file, kind, compute capability, first driver version
    builder pack "$work/$1" "$images/$1.xz"
    echo "$1.xz $2 $3 $4" >> "$index"
}

for capability in 75 80 86 89 90; do
    compile -arch=compute_$capability -ptx -o "$work/new.ptx"
    builder downlevel "$work/new.ptx" "$work/compute_$capability.ptx"
    builder assemble "$work/compute_$capability.ptx" sm_$capability "$work/sm_$capability.cubin" > "$work/sm_$capability.log"
    add sm_$capability.cubin cubin $capability $oldest_driver
done
for capability in 100 120; do
    compile -arch=sm_$capability -cubin -o "$work/sm_$capability.cubin"
    add sm_$capability.cubin cubin $capability $nvcc_driver
done
add compute_80.ptx ptx 80 $oldest_driver

# The sum over names and sums of the sources, in the order of their bytes; KernelSourcesTest computes the same.
(cd "$kernels" && find . -name '*.cu' -o -name '*.cuh' | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum | sha256sum) |
    cut -d' ' -f1 > "$images/sources.sha256"
du -cb "$images"/*
