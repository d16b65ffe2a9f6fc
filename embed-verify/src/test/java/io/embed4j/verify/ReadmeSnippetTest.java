// SPDX-License-Identifier: Apache-2.0
package io.embed4j.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.embed4j.EmbedderOptions;
import io.embed4j.verify.MemoryCompiler.Source;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * The README's Java compiles, runs and prints what its comments say: the lines behind {@code // ->}. The model of the Hub that
 * it names is the embedded default, so that no network is needed.
 */
class ReadmeSnippetTest {
    private static final Pattern SNIPPET = Pattern.compile("^```java\n(.*?)^```", Pattern.DOTALL | Pattern.MULTILINE);
    private static final Pattern PRINTED = Pattern.compile("// -> (.*)");
    private static final String ON_THE_HUB = "hf:sentence-transformers/all-MiniLM-L6-v2";
    private static final String IMPORTS =
            "import io.embed4j.*; import java.util.*; import java.util.concurrent.*;" + " import java.util.stream.*; ";

    @TestFactory
    List<DynamicTest> whatItShowsIsTrue() throws IOException {
        Matcher snippet = SNIPPET.matcher(Files.readString(Checkout.root().resolve("README.md")));
        List<String> snippets = new ArrayList<>();
        while (snippet.find()) {
            snippets.add(snippet.group(1));
        }
        assertThat(snippets).hasSizeGreaterThan(1);
        assertThat(snippets.get(0)).contains(ON_THE_HUB);
        MemoryCompiler compiler = new MemoryCompiler();
        compiler.compile(IntStream.range(0, snippets.size())
                .mapToObj(i -> source("Readme" + i, snippets.get(i)))
                .toList());
        ClassLoader classes = compiler.classLoader();
        return IntStream.range(0, snippets.size())
                .mapToObj(i -> dynamicTest(snippets.get(i).lines().findFirst().orElse(""), () -> {
                    assertThat(compiler.errors("Readme" + i)).isNull();
                    assertThat(printed(classes.loadClass("Readme" + i)))
                            .isNotEmpty()
                            .isEqualTo(PRINTED.matcher(snippets.get(i))
                                    .results()
                                    .map(match -> match.group(1))
                                    .toList());
                }))
                .toList();
    }

    private static Source source(String name, String snippet) {
        return new Source(
                name,
                IMPORTS + "public final class " + name + " { public static void run() throws Exception { "
                        + snippet.replace(ON_THE_HUB, EmbedderOptions.DEFAULT_MODEL) + "}}");
    }

    /** The lines that a snippet prints, with points in its numbers. */
    private static List<String> printed(Class<?> snippet) throws ReflectiveOperationException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream before = System.out;
        Locale locale = Locale.getDefault();
        System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        Locale.setDefault(Locale.ROOT);
        try {
            snippet.getMethod("run").invoke(null);
        } finally {
            Locale.setDefault(locale);
            System.setOut(before);
        }
        return bytes.toString(StandardCharsets.UTF_8).lines().toList();
    }
}
