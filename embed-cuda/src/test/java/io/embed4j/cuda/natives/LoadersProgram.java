// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Predicate;

/**
 * Calls cuBLAS from several class loaders and threads of one JVM at once, and prints what each saw and where JCuda's
 * natives were loaded from, and java.io.tmpdir. The argument {@code shared} gives all class loaders one parent with JCuda.
 */
final class LoadersProgram {
    private static final int LOADERS = 3;
    private static final int THREADS_EACH = 4;

    private LoadersProgram() {}

    public static void main(String[] arguments) throws Exception {
        boolean shared = arguments.length > 0;
        ClassLoader parent = ClassLoader.getPlatformClassLoader();
        Predicate<Path> isJcuda = path -> path.getFileName().toString().matches("(jcuda|jcublas)-.*");
        if (shared) {
            parent = new URLClassLoader(urls(isJcuda), parent);
        }
        ExecutorService executor = Executors.newFixedThreadPool(LOADERS * THREADS_EACH);
        List<Future<?>> calls = new ArrayList<>();
        for (int i = 0; i < LOADERS; i++) {
            ClassLoader loader = new URLClassLoader(urls(shared ? isJcuda.negate() : path -> true), parent);
            for (int j = 0; j < THREADS_EACH; j++) {
                calls.add(executor.submit(() -> loader.loadClass(ProbeProgram.class.getName())
                        .getMethod("main", String[].class)
                        .invoke(null, (Object) new String[] {"cublas"})));
            }
        }
        for (Future<?> call : calls) {
            call.get();
        }
        executor.shutdown();
        ProbeProgram.natives().forEach(System.out::println);
        System.out.println(System.getProperty("java.io.tmpdir"));
    }

    private static URL[] urls(Predicate<Path> wanted) {
        return ForkedJvm.classPath().stream()
                .filter(wanted)
                .map(LoadersProgram::url)
                .toArray(URL[]::new);
    }

    private static URL url(Path path) {
        try {
            return path.toUri().toURL();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
