// SPDX-License-Identifier: Apache-2.0

import static jcuda.nvptxcompiler.JNvPTXCompiler.nvPTXCompilerCompile;
import static jcuda.nvptxcompiler.JNvPTXCompiler.nvPTXCompilerCreate;
import static jcuda.nvptxcompiler.JNvPTXCompiler.nvPTXCompilerGetCompiledProgram;
import static jcuda.nvptxcompiler.JNvPTXCompiler.nvPTXCompilerGetCompiledProgramSize;
import static jcuda.nvptxcompiler.JNvPTXCompiler.nvPTXCompilerGetErrorLog;
import static jcuda.nvptxcompiler.JNvPTXCompiler.nvPTXCompilerGetErrorLogSize;
import static jcuda.nvptxcompiler.JNvPTXCompiler.nvPTXCompilerGetInfoLog;
import static jcuda.nvptxcompiler.JNvPTXCompiler.nvPTXCompilerGetInfoLogSize;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import jcuda.nvptxcompiler.nvPTXCompileResult;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

/**
 * The two steps of build.sh that need more than nvcc; run from source by {@code java KernelImageBuilder.java}.
 *
 * <ul>
 *   <li>{@code downlevel IN.ptx OUT.ptx}: nvcc 13 writes PTX 9.0, which drivers before 13.0 refuse. Our kernels use
 *       nothing that is newer than PTX 7.8, so the version line is all that has to change.
 *   <li>{@code assemble IN.ptx sm_80 OUT.cubin}: PTX to machine code by the PTX compiler in the JCuda natives, which is
 *       that of CUDA 12.0. Its output runs on every driver since, while nvcc 13's needs a driver of 13.0.
 *   <li>{@code pack IN OUT.xz}: compresses; KernelImages reads it. PTX ends in a zero byte, as the driver wants it.
 * </ul>
 */
final class KernelImageBuilder {
    private static final String NEW_VERSION = ".version 9.0";
    private static final String OLD_VERSION = ".version 7.8";
    /** As large as the largest image; who unpacks needs as much memory. */
    private static final int DICTIONARY_BYTES = 4 << 20;

    private KernelImageBuilder() {}

    public static void main(String[] args) throws IOException {
        switch (args[0]) {
            case "downlevel" -> downlevel(Path.of(args[1]), Path.of(args[2]));
            case "assemble" -> assemble(Path.of(args[1]), args[2], Path.of(args[3]));
            case "pack" -> pack(Path.of(args[1]), Path.of(args[2]));
            default -> throw new IllegalArgumentException("Found \"" + args[0] + "\", want downlevel, assemble or pack.");
        }
    }

    private static void downlevel(Path in, Path out) throws IOException {
        String ptx = Files.readString(in);
        if (!ptx.contains(NEW_VERSION)) {
            throw new IllegalStateException(in + " has no \"" + NEW_VERSION + "\": build with nvcc 13.0.");
        }
        Files.writeString(out, ptx.replaceFirst(NEW_VERSION, OLD_VERSION));
    }

    private static void assemble(Path in, String architecture, Path out) throws IOException {
        byte[] ptx = zeroTerminated(Files.readAllBytes(in));
        nvPTXCompilerHandle compiler = new nvPTXCompilerHandle();
        nvPTXCompilerCreate(compiler, ptx.length, ptx);
        String[] options = {"--gpu-name=" + architecture, "-O3", "--verbose"};
        int result = nvPTXCompilerCompile(compiler, options.length, options);
        long[] size = {0};
        if (result != nvPTXCompileResult.NVPTXCOMPILE_SUCCESS) {
            nvPTXCompilerGetErrorLogSize(compiler, size);
            byte[] log = new byte[(int) size[0] + 1];
            nvPTXCompilerGetErrorLog(compiler, log);
            throw new IllegalStateException(in + " for " + architecture + ": " + new String(log, StandardCharsets.UTF_8));
        }
        nvPTXCompilerGetInfoLogSize(compiler, size);
        byte[] log = new byte[(int) size[0] + 1];
        nvPTXCompilerGetInfoLog(compiler, log);
        System.out.println(new String(log, StandardCharsets.UTF_8).trim());
        nvPTXCompilerGetCompiledProgramSize(compiler, size);
        byte[] cubin = new byte[(int) size[0]];
        nvPTXCompilerGetCompiledProgram(compiler, cubin);
        Files.write(out, cubin);
    }

    private static void pack(Path in, Path out) throws IOException {
        byte[] image = Files.readAllBytes(in);
        LZMA2Options options = new LZMA2Options(LZMA2Options.PRESET_MAX);
        options.setDictSize(DICTIONARY_BYTES);
        try (OutputStream packed = new XZOutputStream(Files.newOutputStream(out), options)) {
            packed.write(in.toString().endsWith(".ptx") ? zeroTerminated(image) : image);
        }
    }

    private static byte[] zeroTerminated(byte[] text) {
        return Arrays.copyOf(text, text.length + 1);
    }
}
