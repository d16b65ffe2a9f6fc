// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import java.lang.reflect.Proxy;
import java.util.Map;

/**
 * What happens at Ctrl-C and when the process is told to end: unfinished files are deleted and the JVM halts at once.
 *
 * <p>An ordinary end would run all shutdown hooks side by side. One of them is ONNX Runtime's, which frees its
 * environment while a batch may still be computed with it: a crash report instead of a prompt. So the signals are taken
 * over, by reflection because {@code sun.misc} is no documented API; where that fails, a shutdown hook remains.
 */
final class EndSignals {
    private static final Map<String, Integer> NUMBERS = Map.of("HUP", 1, "INT", 2, "TERM", 15);

    private EndSignals() {}

    /**
     * Registers for the rest of the process. Signals that the caller ignores, as nohup does, stay ignored.
     *
     * @param cleanUp runs before the process ends, on a thread of its own, perhaps twice
     * @param terminal where the prompt will follow
     */
    static void install(Runnable cleanUp, Terminal terminal) {
        Runtime.getRuntime().addShutdownHook(new Thread(cleanUp, "clean-up"));
        NUMBERS.forEach((name, number) -> {
            try {
                Class<?> signal = Class.forName("sun.misc.Signal");
                Class<?> handler = Class.forName("sun.misc.SignalHandler");
                Object haltsAfterCleanUp = Proxy.newProxyInstance(
                        EndSignals.class.getClassLoader(), new Class<?>[] {handler}, (proxy, method, arguments) -> {
                            if (method.getName().equals("handle")) {
                                cleanUp.run();
                                if (terminal.errIsTerminal()) {
                                    System.err.println(); // the prompt shall not follow the progress line
                                }
                                Runtime.getRuntime().halt(128 + number); // as shells count
                            }
                            return null;
                        });
                Object unused = signal.getMethod("handle", signal, handler)
                        .invoke(null, signal.getConstructor(String.class).newInstance(name), haltsAfterCleanUp);
            } catch (ReflectiveOperationException | IllegalArgumentException e) {
                // Another kind of JVM, or Windows, which has no HUP: the shutdown hook does the work.
            }
        });
    }
}
