#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the emulated CUDA device with g++ alone:
#   build/libcuda.so.1                        the driver
#   build/libcublas.so.12, .so.13             cuBLAS, under both names (also alone in build/cublas12, build/cublas13)
#   build/libembed4j_kernels[_checked].so     the kernels of native/kernels, compiled for this processor
#
#   ./build.sh                     builds what is out of date; a fraction of a second when nothing is
#   ./build.sh test                builds and runs the emulator's own tests
#   ./build.sh kernels OUT.so FILE.cu...   builds other kernels (and OUT_checked.so)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

compiler=${CXX:-g++}
if ! command -v "$compiler" >/dev/null; then
    echo "native/emulator: there is no C++ compiler. Install g++ 12 or later, or name one in CXX." >&2
    exit 2
fi
if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "native/emulator: the emulated device runs on Linux x86_64 only, this is $(uname -sm)." >&2
    exit 2
fi

# AVX2, FMA and F16C where this processor has them: the libraries stay on the machine that built them.
architecture=-march=x86-64
if grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo && grep -qw f16c /proc/cpuinfo; then
    architecture=-march=x86-64-v3
fi
common="-std=c++17 -fPIC -fvisibility=hidden -fno-gnu-unique $architecture -Iinclude"
common="$common -Wall -Wextra -Wno-unknown-pragmas -Wno-psabi -ffile-prefix-map=$PWD=."
host="$common -O2 -Isrc"
maths="$common -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math"
# -fstack-clash-protection: large local arrays must run into the guard page, not past it
device="$common -O2 -fstack-clash-protection -ffp-contract=fast -fno-math-errno -fno-trapping-math"
device="$device -fno-strict-aliasing -Wno-unused -Wno-attributes"
checked="-O1 -fsanitize=kernel-address --param asan-globals=1 --param asan-stack=0"
checked="$checked --param asan-instrumentation-with-call-threshold=0"

mkdir -p build/objects build/cublas12 build/cublas13
# One build at a time; a second one waits and then finds nothing to do.
exec 9>build/lock
if command -v flock >/dev/null; then
    flock 9
fi

headers=$(find include src -name '*.h' | LC_ALL=C sort)
deviceHeaders=$(find include ../kernels -name '*.h' -o -name '*.cuh' | LC_ALL=C sort)

# update TARGET "INPUT..." COMMAND...: runs the command unless inputs, command and compiler are those of the last time.
update() {
    local target=$1 inputs=$2 hash
    shift 2
    hash=$({ echo "$@"; "$compiler" -dumpfullversion; cat $inputs; } | sha256sum | cut -d' ' -f1)
    if [ -f "$target" ] && [ "$(cat "$target.hash" 2>/dev/null)" = "$hash" ]; then
        return
    fi
    rm -f "$target.hash"
    "$@"
    echo "$hash" >"$target.hash"
}

# compile OBJECT SOURCE FLAGS...
compile() {
    local object=$1 source=$2
    shift 2
    update "$object" "$source $headers" "$compiler" "$@" -c "$source" -o "$object"
}

# Compilations in the background, as many as there are cores: `... & room`, then `built` once.
room() {
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
        wait -n
    done
}

# built OBJECT...: waits for them, and fails unless each is there.
built() {
    local object
    wait
    for object in "$@"; do
        [ -f "$object.hash" ] || return 1
    done
}

# A .cu file becomes C++: preprocessed, so that kernels made by macros are found; `__shared__` turned into `static`, and
# `extern __shared__ T name[];` into a pointer to the dynamic shared memory; and a registration for every kernel.
translate() {
    local source=$1 translated=$2 kernels
    local attribute='(alignas|__attribute__)[ ]*\([^;]*\)[ \n]+' name='[A-Za-z_][A-Za-z_0-9]*'
    local externShared="extern[ \n]+__shared__[ \n]+($attribute)?([^;(){}=]*[^A-Za-z_0-9;])($name)[ ]*\[[ ]*\][ ]*;"
    local sharedPointer='[[maybe_unused]] auto* const \4 = reinterpret_cast<\3*>(::emulated::dynamicShared);'
    "$compiler" -E $device -I"$(dirname "$source")" -include include/emulated_device_language.h -x c++ "$source" \
        -o "$translated.E"
    kernels=$(grep -v '^#' "$translated.E" | tr '\n' ' ' \
        | grep -oE 'extern "C" +(static +)?__global__ +void +[A-Za-z_][A-Za-z_0-9]* *\(' \
        | sed -E 's/ *\($//; s/.* //' | LC_ALL=C sort -u || true)
    {
        sed -z -E -e 's/__global__//g' -e "s/$externShared/$sharedPointer/g" -e 's/__shared__/static/g' "$translated.E"
        for kernel in $kernels; do
            echo "static const ::emulated::Registration embed4j_registration_$kernel(\"$kernel\","
            echo "    &::emulated::Invoker<decltype(&$kernel)>::call<&$kernel>,"
            echo "    ::emulated::Invoker<decltype(&$kernel)>::parameterCount,"
            echo "    ::emulated::Invoker<decltype(&$kernel)>::parameterBytes);"
        done
    } >"$translated"
    rm "$translated.E"
}

# kernels OUT.so FILE.cu...: the fast and the checked library
kernels() {
    local out=$1 source name fast="" slow="" part
    shift
    compile build/objects/never_destroyed.o src/never_destroyed.cpp $host
    for part in fibers block collectives signals no_checks checks; do
        compile "build/objects/engine_$part.o" "src/kernel_library/$part.cpp" $host -ffp-contract=fast
    done
    for source in "$@"; do
        name=$(echo "$source" | sed 's/[^A-Za-z0-9]/_/g')
        fast="$fast build/objects/$name.o"
        slow="$slow build/objects/${name}_checked.o"
        (
            local translated="build/objects/$name.ii"
            update "$translated" "$source $deviceHeaders build.sh" translate "$source" "$translated"
            compile "build/objects/$name.o" "$translated" $device
            compile "build/objects/${name}_checked.o" "$translated" $device $checked
        ) &
        room
    done
    built $fast $slow
    local engine="build/objects/never_destroyed.o"
    for part in fibers block collectives signals; do
        engine="$engine build/objects/engine_$part.o"
    done
    update "$out" "$fast $engine build/objects/engine_no_checks.o" \
        "$compiler" -shared -Wl,-Bsymbolic -Wl,-z,defs $fast $engine build/objects/engine_no_checks.o -o "$out"
    out="${out%.so}_checked.so"
    update "$out" "$slow $engine build/objects/engine_checks.o" \
        "$compiler" -shared -Wl,-Bsymbolic -Wl,-z,defs $slow $engine build/objects/engine_checks.o -o "$out"
}

# The driver's signal handlers and threads outlast every user, so it must never be unmapped: CUDA's runtime, which other
# libraries look for, opens and closes it again when it finds calls missing.
forever=-Wl,-z,nodelete

# Weak symbols for all that JCuda binds to and the emulator does not have: they return "not supported".
stubs() {
    local symbols=$1 code=$2 assembly=$3
    {
        echo '.text'
        while read -r symbol; do
            printf '.weak %s\n.type %s, @function\n%s:\n' "$symbol" "$symbol" "$symbol"
        done <"$symbols"
        echo "movl \$$code, %eax"
        echo 'ret'
        echo '.section .note.GNU-stack,"",@progbits'
    } >"$assembly"
}

driver() {
    local source name objects="build/objects/never_destroyed.o" version
    compile build/objects/never_destroyed.o src/never_destroyed.cpp $host
    for source in src/driver/*.cpp; do
        name=$(basename "$source" .cpp)
        objects="$objects build/objects/driver_$name.o"
        compile "build/objects/driver_$name.o" "$source" $host -ftls-model=initial-exec &
        room
    done
    compile build/objects/gemm.o src/cublas/gemm.cpp $maths &
    room
    for version in 12 13; do
        compile "build/objects/cublas$version.o" src/cublas/cublas.cpp $host -DEMULATED_CUBLAS_VERSION=${version}0600 &
        room
    done
    built $objects build/objects/gemm.o build/objects/cublas12.o build/objects/cublas13.o
    update build/objects/stubs_cuda.s "symbols/cuda.txt build.sh" stubs symbols/cuda.txt 801 build/objects/stubs_cuda.s
    update build/objects/stubs_cublas.s "symbols/cublas.txt build.sh" \
        stubs symbols/cublas.txt 15 build/objects/stubs_cublas.s
    update build/libcuda.so.1 "$objects build/objects/stubs_cuda.s" \
        "$compiler" -shared -Wl,-soname,libcuda.so.1 $forever -Wl,-Bsymbolic -Wl,-z,defs $objects build/objects/stubs_cuda.s \
        -o build/libcuda.so.1 -ldl -lpthread
    for version in 12 13; do
        echo "libcublas.so.$version { global: cublas*; local: *; };" >"build/objects/cublas$version.map"
        objects="build/objects/cublas$version.o build/objects/gemm.o build/objects/never_destroyed.o"
        objects="$objects build/objects/stubs_cublas.s build/libcuda.so.1"
        update "build/cublas$version/libcublas.so.$version" "$objects build/objects/cublas$version.map" \
            "$compiler" -shared -Wl,-soname,libcublas.so.$version \
            -Wl,--version-script=build/objects/cublas$version.map $objects -Wl,-rpath,'$ORIGIN:$ORIGIN/..' \
            -o "build/cublas$version/libcublas.so.$version"
        ln -sf "cublas$version/libcublas.so.$version" "build/libcublas.so.$version"
    done
}

# Everything at once is up to date when the sources are what they were at the end of the last build.
everything() {
    {
        echo "$common"
        "$compiler" -dumpfullversion
        find build.sh include src symbols ../kernels -type f | LC_ALL=C sort | xargs cat
    } | sha256sum | cut -d' ' -f1
}

case "${1:-}" in
kernels)
    shift
    kernels "$@"
    ;;
test)
    exec 9>&-
    exec bash ./tests/run.sh "${@:2}"
    ;;
"")
    state=$(everything)
    if [ "$(cat build/state 2>/dev/null)" != "$state" ]; then
        rm -f build/state
        driver
        if compgen -G "../kernels/*.cu" >/dev/null; then
            kernels build/libembed4j_kernels.so ../kernels/*.cu
        else
            echo "native/emulator: there are no kernels in native/kernels yet; built the driver alone." >&2
        fi
        echo "$state" >build/state
    fi
    ;;
*)
    sed -n '3,13s/^# \?//p' build.sh >&2
    exit 2
    ;;
esac
