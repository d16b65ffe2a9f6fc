// SPDX-License-Identifier: Apache-2.0
package io.embed4j.verify;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;

/**
 * Compiles sources in memory against the class path of the test. All go to the compiler at once; when some have errors,
 * the others go again without them, so that one bad source hides no other.
 */
final class MemoryCompiler {
    private final JavaCompiler javac = ToolProvider.getSystemJavaCompiler();
    private final Map<String, byte[]> classFiles = new LinkedHashMap<>();
    private final Map<String, String> errors = new LinkedHashMap<>();

    /** A Java file that exists as text only. */
    static final class Source extends SimpleJavaFileObject {
        private final String className;
        private final String code;

        Source(String className, String code) {
            super(URI.create("memory:///" + className.replace('.', '/') + Kind.SOURCE.extension), Kind.SOURCE);
            this.className = className;
            this.code = code;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return code;
        }
    }

    /** Compiles; {@link #errors} tells what failed. */
    void compile(Collection<Source> sources) throws IOException {
        List<Source> remaining = new ArrayList<>(sources);
        while (!remaining.isEmpty()) {
            DiagnosticCollector<JavaFileObject> diagnostics = new DiagnosticCollector<>();
            try (ClassFiles files = new ClassFiles(javac.getStandardFileManager(diagnostics, Locale.ROOT, null))) {
                List<String> options =
                        List.of("-proc:none", "-implicit:none", "-cp", System.getProperty("java.class.path"));
                if (javac.getTask(null, files, diagnostics, options, null, remaining)
                        .call()) {
                    return;
                }
            }
            for (Diagnostic<? extends JavaFileObject> diagnostic : diagnostics.getDiagnostics()) {
                if (diagnostic.getKind() == Diagnostic.Kind.ERROR) {
                    if (!(diagnostic.getSource() instanceof Source source)) {
                        throw new IllegalStateException("The compiler failed: " + diagnostic);
                    }
                    String error = "line " + diagnostic.getLineNumber() + ": " + diagnostic.getMessage(Locale.ROOT);
                    errors.merge(source.className, error, (first, next) -> first + "\n" + next);
                }
            }
            remaining.removeIf(source -> errors.containsKey(source.className));
        }
    }

    /** What the compiler found wrong with a class; null if nothing. */
    @Nullable
    String errors(String className) {
        return errors.get(className);
    }

    /** Loads what was compiled, above the test's own classes. */
    ClassLoader classLoader() {
        return new ClassLoader(MemoryCompiler.class.getClassLoader()) {
            @Override
            protected Class<?> findClass(String name) throws ClassNotFoundException {
                byte[] bytes = classFiles.get(name);
                if (bytes == null) {
                    throw new ClassNotFoundException(name);
                }
                return defineClass(name, bytes, 0, bytes.length);
            }
        };
    }

    /** Keeps the compiler's output in {@link #classFiles}. */
    private final class ClassFiles extends ForwardingJavaFileManager<JavaFileManager> {
        ClassFiles(JavaFileManager files) {
            super(files);
        }

        @Override
        public JavaFileObject getJavaFileForOutput(
                Location location, String className, JavaFileObject.Kind kind, @Nullable FileObject sibling) {
            return new SimpleJavaFileObject(
                    URI.create("memory:///" + className.replace('.', '/') + kind.extension), kind) {
                @Override
                public OutputStream openOutputStream() {
                    return new ByteArrayOutputStream() {
                        @Override
                        public void close() {
                            classFiles.put(className, toByteArray());
                        }
                    };
                }
            };
        }
    }
}
