// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.check;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import io.embed4j.cuda.check.PartResult.Outcome;
import io.embed4j.cuda.check.PartResult.TestRow;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.natives.CudaLibraries;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestDescriptor;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the tests of a part in a process of its own. A line of JSON is written when a test begins and when it has ended,
 * so that what was done is known however this process ends; the first line tells the device.
 */
final class PartProgram implements TestExecutionListener {
    /** Members of a line. */
    static final String DEVICE = "device";

    static final String STARTED = "started";
    static final String ENDED = "ended";

    private static final int LONGEST_MESSAGE = 2000;

    private final Path log;
    private final Gson gson = new Gson();
    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    private final Map<String, Long> starts = new ConcurrentHashMap<>();

    private PartProgram(Path log) {
        this.log = log;
    }

    /**
     * Runs a part.
     *
     * @param arguments the part's name, and the file that takes the lines
     */
    public static void main(String[] arguments) {
        List<String> given = List.of(arguments);
        CheckPart part = CheckPart.valueOf(given.get(0));
        PartProgram program = new PartProgram(Path.of(given.get(1)));
        boolean emulated = program.writeDevice().startsWith(DeviceFacts.EMULATED);
        LauncherDiscoveryRequestBuilder request = LauncherDiscoveryRequestBuilder.request()
                .selectors(part.testClasses().stream()
                        .map(name -> selectClass(name))
                        .toList())
                .filters((PostDiscoveryFilter) test -> FilterResult.includedIf(part.has(methodName(test))))
                .configurationParameter("junit.jupiter.extensions.autodetection.enabled", "true");
        if (emulated) {
            // Minutes there, seconds on a GPU: the longest rows.
            request.filters(TagFilter.excludeTags("full"));
        }
        PrintStream console = System.out;
        System.setOut(new PrintStream(program.new Tee(console), true, StandardCharsets.UTF_8));
        LauncherFactory.create().execute(request.build(), program);
        System.exit(0);
    }

    /** Empty for what is no method: the filter also sees classes. */
    private static String methodName(TestDescriptor test) {
        return test.getSource()
                .filter(MethodSource.class::isInstance)
                .map(source -> ((MethodSource) source).getMethodName())
                .orElse("");
    }

    private String writeDevice() {
        String device;
        try {
            CudaLibraries.load();
            try (CudaContext context = new CudaContext(0)) {
                device = context.name() + " " + context.uuid();
            }
        } catch (RuntimeException | LinkageError e) {
            device = "none: " + e.getMessage();
        }
        write(DEVICE, device);
        return device;
    }

    @Override
    public void executionStarted(TestIdentifier test) {
        if (test.isTest()) {
            starts.put(test.getUniqueId(), System.nanoTime());
            synchronized (printed) {
                printed.reset();
            }
            write(STARTED, name(test));
        }
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        write(ENDED, new TestRow(name(test), Outcome.SKIPPED, 0, reason, List.of()));
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        boolean failed = result.getStatus() == TestExecutionResult.Status.FAILED;
        if (!test.isTest() && result.getStatus() == TestExecutionResult.Status.SUCCESSFUL) {
            return;
        }
        long start = starts.getOrDefault(test.getUniqueId(), System.nanoTime());
        Outcome outcome = switch (result.getStatus()) {
            case SUCCESSFUL -> Outcome.PASSED;
            case ABORTED -> Outcome.SKIPPED;
            case FAILED -> Outcome.FAILED;
        };
        if (failed) {
            result.getThrowable().ifPresent(Throwable::printStackTrace);
        }
        String message = result.getThrowable().map(Throwable::toString).orElse("");
        List<String> lines;
        synchronized (printed) {
            lines = printed.toString(StandardCharsets.UTF_8).lines().toList();
        }
        write(
                ENDED,
                new TestRow(
                        name(test),
                        outcome,
                        (System.nanoTime() - start) / 1e9,
                        message.substring(0, Math.min(message.length(), LONGEST_MESSAGE)),
                        lines.stream()
                                .filter(line -> Share.find(line).isPresent())
                                .toList()));
    }

    private static String name(TestIdentifier test) {
        return test.getSource()
                .filter(MethodSource.class::isInstance)
                .map(MethodSource.class::cast)
                .map(method -> simpleName(method.getClassName()) + "." + method.getMethodName()
                        + (test.getDisplayName().startsWith(method.getMethodName()) ? "" : " " + test.getDisplayName()))
                .orElse(test.getDisplayName());
    }

    private static String simpleName(String className) {
        return className.substring(className.lastIndexOf('.') + 1);
    }

    private void write(String member, Object value) {
        JsonObject line = new JsonObject();
        line.add(member, gson.toJsonTree(value));
        try {
            Files.writeString(log, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Keeps what a test prints, and prints it. */
    private final class Tee extends OutputStream {
        private final OutputStream console;

        Tee(OutputStream console) {
            this.console = console;
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            console.write(bytes, offset, length);
            synchronized (printed) {
                printed.write(bytes, offset, length);
            }
        }

        @Override
        public void flush() throws IOException {
            console.flush();
        }
    }
}
