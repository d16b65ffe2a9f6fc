// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.JCudaVersion;
import jcuda.LibUtils;

/** One of JCuda's natives, out of the jar that brings it. */
final class JcudaNative {
    private final String libraryName;
    private final String fileName;
    private final byte[] content;

    /** The native is sound, but a library that it depends on is not there or not loadable. */
    static final class DependencyException extends Exception {
        private static final long serialVersionUID = 1L;

        DependencyException(String wordsOfTheSystemLoader, Throwable cause) {
            super(wordsOfTheSystemLoader, cause);
        }

        /** What the system's loader said. It begins with the file that was missing; the rest may be in any language. */
        String words() {
            return String.valueOf(getMessage());
        }
    }

    private JcudaNative(String libraryName, String fileName, byte[] content) {
        this.libraryName = libraryName;
        this.fileName = fileName;
        this.content = content;
    }

    /**
     * Reads a native.
     *
     * @param base {@code JCudaDriver}, {@code JCublas2}
     * @param platform this platform
     * @throws CudaUnavailableException if it is not on the class path
     */
    static JcudaNative of(String base, Platform platform) {
        String version = JCudaVersion.get();
        String fileName = platform.jcudaFile(base, version);
        try (InputStream in = LibUtils.class.getResourceAsStream("/lib/" + fileName)) {
            if (in != null) {
                return new JcudaNative(base + "-" + version + "-" + platform.classifier(), fileName, in.readAllBytes());
            }
        } catch (IOException e) {
            throw missing(fileName, platform, version, "cannot be read (" + e.getMessage() + ")");
        }
        throw missing(fileName, platform, version, "is not on the class path");
    }

    private static CudaUnavailableException missing(String file, Platform platform, String version, String what) {
        return new CudaUnavailableException(
                CudaProblem.NATIVES_MISSING,
                "JCuda's native library /lib/" + file + " " + what + ".",
                "Keep the dependencies of io.embed4j:embed-cuda: org.jcuda:jcuda-natives and jcublas-natives " + version
                        + ", classifier " + platform.classifier() + ".");
    }

    /** The same native, made to depend on another library. */
    JcudaNative withDependency(String from, String to) {
        return new JcudaNative(libraryName, fileName, ElfImage.renameDependency(content, from, to));
    }

    /**
     * Unpacks and loads the native, from the first directory that lets it.
     *
     * @return where it lies
     * @throws DependencyException if it needs a library that cannot be loaded; no directory would change that
     * @throws CudaUnavailableException if no directory will do
     */
    Path load() throws DependencyException {
        List<String> refusals = new ArrayList<>();
        for (Path directory : UnpackDirectories.candidates()) {
            Optional<Path> file = load(directory, refusals);
            if (file.isPresent()) {
                return file.get();
            }
        }
        try {
            Optional<Path> fresh = UnpackDirectories.fresh();
            Optional<Path> file = fresh.isPresent() ? load(fresh.get(), refusals) : Optional.empty();
            if (file.isPresent()) {
                return file.get();
            }
        } catch (IOException e) {
            refusals.add(reason(e));
        }
        throw new CudaUnavailableException(
                CudaProblem.NATIVES_UNUSABLE,
                "JCuda's native library " + fileName + " cannot be unpacked and loaded; tried "
                        + String.join("; ", refusals) + ".",
                "Set the system property " + UnpackDirectories.PROPERTY + " or the variable "
                        + UnpackDirectories.VARIABLE
                        + " to a directory of your own that can be written, on a file system that is not mounted noexec.");
    }

    private Optional<Path> load(Path directory, List<String> refusals) throws DependencyException {
        try {
            Path file = NativeFile.place(directory, fileName, content, LoaderNumber.of(JcudaClasses.loader()));
            try {
                JcudaClasses.loadNative(file, libraryName);
                return Optional.of(file);
            } catch (UnsatisfiedLinkError e) {
                String words = wordsAbout(file, String.valueOf(e.getMessage()));
                if (!words.startsWith(file.toString())) {
                    throw new DependencyException(words, e);
                }
                refusals.add(words); // the file itself: noexec, mostly
            }
        } catch (IOException e) {
            refusals.add(directory + " (" + reason(e) + ")");
        }
        return Optional.empty();
    }

    /**
     * What the system's loader said. The JVM puts the file it was asked to load before it, and JCuda puts that into a
     * stack trace.
     */
    private static String wordsAbout(Path file, String message) {
        Matcher matcher = Pattern.compile(Pattern.quote(file + ": ") + "(.*)").matcher(message);
        return matcher.find() ? matcher.group(1).strip() : message;
    }

    private static String reason(IOException e) {
        String name = e.getClass().getSimpleName().replace("Exception", "");
        return e.getMessage() == null ? name : name + ": " + e.getMessage();
    }
}
