// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import io.embed4j.EmbedException;
import io.embed4j.EmbedderFactory;
import io.embed4j.HelpTopic;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.RunLast;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The {@code embed} command: results on stdout, all else on stderr; exit code 0, 1 (failed) or 2 (usage). A failure is
 * one line; {@code --verbose} adds the stack trace.
 */
public final class Main {
    private static final List<String> LOG_LEVELS =
            List.of("org.slf4j.simpleLogger.defaultLogLevel", "org.slf4j.simpleLogger.log.ai.djl");

    private Main() {}

    /**
     * Runs the command and ends the JVM with its exit code.
     *
     * @param args the command line
     */
    public static void main(String[] args) {
        if (asksForVerbose(args)) {
            // Before the first logger is made: SLF4J's simple provider reads its configuration once.
            LOG_LEVELS.stream()
                    .filter(property -> System.getProperty(property) == null)
                    .forEach(property -> System.setProperty(property, "info"));
        }
        Terminal terminal = Terminal.ofProcess();
        EndSignals.install(
                () -> {
                    AtomicFile.deleteAllUnfinished();
                    UnfinishedIndex.removeAll();
                },
                terminal);
        System.exit(run(args, EmbedderFactory::find, terminal));
    }

    /**
     * Runs the command.
     *
     * @param args the command line
     * @param embedders makes embedders; asked only when one is needed
     * @param terminal where to read and write
     * @return the exit code
     */
    static int run(String[] args, Supplier<EmbedderFactory> embedders, Terminal terminal) {
        PrintWriter out = new PrintWriter(new OutputStreamWriter(terminal.out(), StandardCharsets.UTF_8), true);
        EmbedCommand root = new EmbedCommand(embedders, terminal);
        CommandLine commandLine = new CommandLine(root)
                .addSubcommand(new EncodeCommand(embedders, terminal))
                .addSubcommand(new DevicesCommand(embedders, terminal))
                .addSubcommand(new FitCommand(embedders, terminal))
                .addSubcommand(new DownloadCommand(embedders, terminal))
                .addSubcommand(new DoctorCommand(embedders, terminal))
                .addSubcommand(IndexCommand.with(embedders, terminal))
                .setExpandAtFiles(false) // "@name, hello" is a text, not a file of arguments
                .setPosixClusteredShortOptionsAllowed(false) // "-model x" is a slip, not -m odel
                .setUsageHelpWidth(100)
                .setOut(out)
                .setErr(terminal.err())
                .setExecutionStrategy(Main::runParsed)
                .setParameterExceptionHandler((failure, arguments) -> report(
                        failure, usageMessage(failure, args), CliException.USAGE, asksForVerbose(args), terminal))
                .setExecutionExceptionHandler(
                        (failure, command, parsed) -> report(failure, asksForVerbose(args), terminal));
        int exitCode;
        try {
            requireReadable(args, System.getProperty("sun.jnu.encoding", "UTF-8"));
            exitCode = commandLine.execute(args);
        } catch (CliException | Error failure) {
            exitCode = report(failure, asksForVerbose(args), terminal);
        }
        out.flush();
        terminal.err().flush();
        return exitCode;
    }

    private static int runParsed(ParseResult parsed) {
        Integer helpExitCode = CommandLine.executeHelpRequest(parsed);
        if (helpExitCode != null) {
            return helpExitCode;
        }
        if (parsed.hasSubcommand()) {
            refuseArgumentsBeforeCommand(parsed);
        }
        return new RunLast().execute(parsed);
    }

    /** Otherwise {@code embed -m M encode ...} would encode with the default model without a word. */
    private static void refuseArgumentsBeforeCommand(ParseResult parsed) {
        CommandLine command = parsed.subcommand().commandSpec().commandLine();
        if (!parsed.matchedPositionals().isEmpty()) {
            throw new ParameterException(
                    command,
                    "Texts and the command \"" + command.getCommandName()
                            + "\" do not go together. To embed the word, write: embed -- TEXT...");
        }
        for (OptionSpec option : parsed.matchedOptions()) {
            if (option.scopeType() == ScopeType.LOCAL) {
                throw new ParameterException(
                        command, option.longestName() + " goes after the command " + command.getCommandName() + ".");
            }
        }
    }

    private static boolean asksForVerbose(String[] args) {
        for (String arg : args) {
            if (arg.equals("--")) {
                return false;
            }
            if (arg.equals("-v") || arg.equals("--verbose")) {
                return true;
            }
        }
        return false;
    }

    /**
     * Refuses arguments that lost characters on their way: under an ASCII locale Java reads every other byte as U+FFFD,
     * and the vector would be that of another text.
     *
     * @param args the command line
     * @param encoding the encoding that Java used for it
     */
    static void requireReadable(String[] args, String encoding) {
        for (String arg : args) {
            if (arg.indexOf('\uFFFD') >= 0 && !encoding.toLowerCase(Locale.ROOT).startsWith("utf")) {
                throw CliException.failed(
                        HelpTopic.CANNOT_READ,
                        "The locale's encoding, " + encoding + ", cannot carry the argument \"" + arg
                                + "\". Set LC_ALL=C.UTF-8.",
                        null);
            }
        }
    }

    private static String usageMessage(ParameterException failure, String[] args) {
        CommandLine command = failure.getCommandLine();
        StringBuilder message = new StringBuilder(String.valueOf(failure.getMessage()));
        if (failure instanceof UnmatchedArgumentException unmatched) {
            List<String> suggestions = unmatched.getSuggestions();
            String commandMeant = commandMeant(command, args[0]);
            if (commandMeant != null) {
                message.append(". \"" + args[0] + "\" is no command, so it is taken for a text. Did you mean ")
                        .append(commandMeant)
                        .append("?");
            } else if (!suggestions.isEmpty()) {
                message.append(". Did you mean ").append(suggestions.get(0)).append("?");
            } else if (unmatched.isUnknownOption()) {
                message.append(". A text that begins with - goes after --");
            }
        }
        return endSentence(message.toString()) + " See "
                + command.getCommandSpec().qualifiedName() + " --help.";
    }

    /**
     * Returns the command that a first word which is none may stand for: {@code encod}, with options that only encode has.
     * Without such options it is a text like any other.
     */
    private static @Nullable String commandMeant(CommandLine command, String word) {
        if (command.getParent() != null || !word.matches("[a-z]+")) {
            return null;
        }
        return command.getSubcommands().keySet().stream()
                .filter(name -> isSlip(word, name))
                .findFirst()
                .orElse(null);
    }

    /** One letter too many, too few or wrong, or two letters exchanged: the rest agrees from both ends. */
    private static boolean isSlip(String word, String name) {
        int longest = Math.max(word.length(), name.length());
        int shortest = Math.min(word.length(), name.length());
        int head = 0;
        while (head < shortest && word.charAt(head) == name.charAt(head)) {
            head++;
        }
        int tail = 0;
        while (tail < shortest - head
                && word.charAt(word.length() - 1 - tail) == name.charAt(name.length() - 1 - tail)) {
            tail++;
        }
        return longest - head - tail <= 2 && head + tail >= 2;
    }

    private static String endSentence(String text) {
        return text.isEmpty() || ".?!".indexOf(text.charAt(text.length() - 1)) >= 0 ? text : text + ".";
    }

    private static int report(Throwable failure, boolean verbose, Terminal terminal) {
        for (@Nullable Throwable cause = failure; cause != null; cause = cause.getCause()) {
            // An input that breaks while the embedder pulls texts may arrive wrapped.
            if (cause instanceof CliException known) {
                String message = withHelp(String.valueOf(known.getMessage()), known.helpTopic());
                return report(failure, message, known.exitCode(), verbose, terminal);
            }
        }
        return report(failure, describe(failure), CliException.FAILED, verbose, terminal);
    }

    private static String describe(Throwable failure) {
        String message = failure.getMessage() == null ? failure.toString() : failure.getMessage();
        if (failure instanceof EmbedException e) {
            return withHelp(message, e.helpTopic());
        }
        if (failure instanceof IOException e) {
            return withHelp("Cannot read or write: " + Reason.of(e), HelpTopic.CANNOT_READ);
        }
        if (failure instanceof OutOfMemoryError) {
            return withHelp(
                    "The Java heap of " + Runtime.getRuntime().maxMemory() / (1 << 20) + " MiB is full (" + message
                            + "). Lower --max-batch-tokens or set EMBED_JAVA_OPTS=-Xmx8g.",
                    HelpTopic.JAVA_HEAP);
        }
        if (failure instanceof IllegalArgumentException) {
            return message;
        }
        return "Unexpected " + failure + " (--verbose shows where).";
    }

    private static String withHelp(String message, @Nullable HelpTopic topic) {
        return topic == null ? message : endSentence(message.strip()) + " See " + topic.link();
    }

    private static int report(Throwable failure, String message, int exitCode, boolean verbose, Terminal terminal) {
        if (exitCode != CliException.NO_READER) {
            terminal.err().println("embed: " + message.strip().replaceAll("\\s*\\R\\s*", " "));
        }
        if (verbose) {
            failure.printStackTrace(terminal.err());
        }
        return exitCode;
    }
}
