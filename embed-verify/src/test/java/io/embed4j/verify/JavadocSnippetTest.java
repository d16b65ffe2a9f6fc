// SPDX-License-Identifier: Apache-2.0
package io.embed4j.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.embed4j.verify.MemoryCompiler.Source;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Every public type of the API shows in its Javadoc how it is used, in a {@code <pre>} with a {@code code} tag that
 * compiles and runs. A snippet becomes the body of a method; it states what it expects by throwing AssertionError.
 */
class JavadocSnippetTest {
    /** What a snippet may use by its simple name. */
    private static final List<String> IMPORTED_PACKAGES = List.of(
            "io.embed4j",
            "io.embed4j.spec",
            "io.embed4j.spi",
            "java.nio",
            "java.util",
            "java.util.concurrent",
            "java.util.function");

    @TestFactory
    List<DynamicTest> everyPublicTypeHasSnippetsThatRun() throws IOException {
        List<PublicType> types = typesOfTheApi();
        assertThat(types)
                .extracting(PublicType::name)
                .contains(
                        "io.embed4j.Embedder",
                        "io.embed4j.FitReport.Verdict",
                        "io.embed4j.spi.MemoryLedger.Reservation");
        return tests(types);
    }

    @Test
    void whatIsWrongWithASnippetIsTold() throws IOException {
        Source source = new Source("sample.Outer", """
                package sample;
                /** Without a snippet. */
                public interface Outer {
                    /** Does not compile. <pre>{@code int three = "three";}</pre> */
                    class A {}
                    /** Does not parse. <pre>{@code int = 3;}</pre> */
                    class B {}
                    /** Throws. <pre>{@code throw new AssertionError("not three");}</pre> */
                    class C {}
                    /** Runs: <pre>{@code int three = 3;}</pre> <pre>{@code int four = 4;}</pre> */
                    class D { class NotPublic {} }
                }
                class NotPublic {}
                """);
        List<DynamicTest> tests = tests(PublicType.read(List.of(source)));
        assertThat(tests)
                .extracting(DynamicTest::getDisplayName)
                .containsExactly(
                        "sample.Outer", "sample.Outer.A", "sample.Outer.B", "sample.Outer.C", "sample.Outer.D");
        List<String> messages = new ArrayList<>();
        for (DynamicTest test : tests) {
            Throwable thrown = catchThrowable(test.getExecutable()::execute);
            messages.add(thrown == null ? "none" : thrown.getMessage());
        }
        assertThat(messages.get(0)).contains("sample.Outer", "no <pre>");
        assertThat(messages.get(1)).contains("sample.Outer.A", "int three = \"three\";", "line 1: incompatible types");
        assertThat(messages.get(2)).contains("sample.Outer.B", "int = 3;", "line 1: ");
        assertThat(messages.get(3)).contains("sample.Outer.C", "throw new AssertionError", "not three");
        assertThat(messages.get(4)).isEqualTo("none");
    }

    private static List<PublicType> typesOfTheApi() throws IOException {
        try (StandardJavaFileManager files = ToolProvider.getSystemJavaCompiler()
                .getStandardFileManager(null, Locale.ROOT, StandardCharsets.UTF_8)) {
            return PublicType.read(files.getJavaFileObjectsFromPaths(
                    Checkout.javaFiles(Checkout.root().resolve("embed-api/src/main/java"))));
        }
    }

    /** One test per type; all snippets are compiled together, before the first test runs. */
    private static List<DynamicTest> tests(List<PublicType> types) throws IOException {
        MemoryCompiler compiler = new MemoryCompiler();
        compiler.compile(types.stream().flatMap(JavadocSnippetTest::sources).toList());
        ClassLoader snippets = compiler.classLoader();
        return types.stream()
                .map(type -> dynamicTest(type.name(), () -> {
                    if (type.snippets().isEmpty()) {
                        throw new AssertionError("The Javadoc of " + type.name() + " has no <pre>{@code ...}</pre>.");
                    }
                    for (int i = 0; i < type.snippets().size(); i++) {
                        String error = compiler.errors(className(type, i));
                        if (error != null) {
                            throw failure(type, i, "does not compile", error, null);
                        }
                        run(type, i, snippets);
                    }
                }))
                .toList();
    }

    private static void run(PublicType type, int index, ClassLoader snippets) throws ReflectiveOperationException {
        try {
            snippets.loadClass(className(type, index)).getMethod("run").invoke(null);
        } catch (InvocationTargetException e) {
            throw failure(type, index, "fails", String.valueOf(e.getCause()), e.getCause());
        }
    }

    private static AssertionError failure(
            PublicType type, int index, String what, String why, @Nullable Throwable cause) {
        return new AssertionError(
                "The snippet of " + type.name() + " " + what + ": " + why + "\n\n"
                        + type.snippets().get(index) + "\n",
                cause);
    }

    /** Everything before the snippet stands on the snippet's first line, so that the compiler's line numbers are its. */
    private static Stream<Source> sources(PublicType type) {
        String imports = IMPORTED_PACKAGES.stream()
                .map(name -> "import " + name + ".*; ")
                .collect(Collectors.joining());
        return IntStream.range(0, type.snippets().size()).mapToObj(i -> {
            String head =
                    "public final class " + className(type, i) + " { public static void run() throws Exception { ";
            return new Source(
                    className(type, i), imports + head + type.snippets().get(i) + "\n}}\n");
        });
    }

    private static String className(PublicType type, int index) {
        return type.name().replace('.', '_') + "_" + index;
    }
}
