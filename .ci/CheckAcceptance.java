// SPDX-License-Identifier: Apache-2.0
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Holds docs/acceptance.md against the repository: every point of an issue has a row, every row names tests or commands
 * that exist. With {@code --ran} also against surefire's reports: every named test ran, and none failed or was skipped.
 *
 * <p>Run from the root, or name it: {@code java .ci/CheckAcceptance.java [--ran] [root]}. Exit code 1 and one line per
 * problem if something is wrong.
 */
public final class CheckAcceptance {
    private static final String TABLE = "docs/acceptance.md";

    /** The section of an issue says how many points it has: {@code ## Issue 2: the thin slice (6 points)}. */
    private static final Pattern SECTION = Pattern.compile("## Issue (\\d+): .*\\((\\d+) points?\\)");

    private static final Pattern CODE = Pattern.compile("`([^`]+)`");
    private static final Pattern TEST = Pattern.compile("([A-Z]\\w*)(?:#(\\w+))?");

    private final Path root;
    private final boolean testsRan;
    private final List<String> problems = new ArrayList<>();
    private final List<Report> reports = new ArrayList<>();
    private final TreeSet<String> tests = new TreeSet<>();
    private int rows;

    /** One test in a surefire report; the class is named without its package. */
    private record Report(String className, String method, boolean passed) {}

    /** The rows of one issue: which points they cover, out of how many. */
    private record Section(int issue, int points, TreeSet<Integer> covered) {}

    private CheckAcceptance(Path root, boolean testsRan) {
        this.root = root;
        this.testsRan = testsRan;
    }

    public static void main(String[] arguments) throws Exception {
        List<String> rest = new ArrayList<>(List.of(arguments));
        boolean testsRan = rest.remove("--ran");
        CheckAcceptance check = new CheckAcceptance(Path.of(rest.isEmpty() ? "." : rest.get(0)), testsRan);
        if (testsRan) {
            check.readReports();
        }
        check.readTable();
        for (String problem : check.problems) {
            System.err.println(TABLE + ": " + problem);
        }
        System.out.println("Acceptance: " + check.rows + " rows name " + check.tests.size() + " tests; "
                + check.problems.size() + " problems.");
        System.exit(check.problems.isEmpty() ? 0 : 1);
    }

    private void readTable() throws IOException {
        List<Section> sections = new ArrayList<>();
        for (String line : Files.readAllLines(root.resolve(TABLE))) {
            Matcher section = SECTION.matcher(line);
            if (section.matches()) {
                sections.add(new Section(
                        Integer.parseInt(section.group(1)), Integer.parseInt(section.group(2)), new TreeSet<>()));
            } else if (line.startsWith("##")) {
                problems.add("\"" + line + "\" should read \"## Issue N: what it is (M points)\".");
            } else if (line.matches("\\|\\s*\\d.*")) {
                String[] cells =
                        Arrays.stream(line.split("\\|", -1)).map(String::strip).toArray(String[]::new);
                if (sections.isEmpty() || cells.length != 7) {
                    problems.add("expected five cells, in the section of an issue: " + line);
                } else {
                    checkRow(sections.get(sections.size() - 1), cells);
                }
            }
        }
        if (sections.isEmpty()) {
            problems.add("has no section \"## Issue N: what it is (M points)\".");
        }
        for (Section section : sections) {
            IntStream.rangeClosed(1, section.points())
                    .filter(point -> !section.covered().contains(point))
                    .forEach(
                            point -> problems.add("issue " + section.issue() + " has no row for point " + point + "."));
        }
    }

    /** Cells 1 to 5: point, what must be true, shown by, result, date. */
    private void checkRow(Section section, String[] cells) throws IOException {
        rows++;
        String row = "issue " + section.issue() + ", point " + cells[1] + ": ";
        if (!cells[1].matches("\\d{1,3}") || Integer.parseInt(cells[1]) > section.points()) {
            problems.add(row + "the issue has points 1 to " + section.points() + ".");
        } else {
            section.covered().add(Integer.parseInt(cells[1]));
        }
        List<String> names =
                CODE.matcher(cells[3]).results().map(code -> code.group(1)).toList();
        if (names.isEmpty()) {
            problems.add(row + "names neither a test nor a command in backticks.");
        }
        for (String name : names) {
            checkName(row, name);
        }
        if (cells[4].isEmpty()) {
            problems.add(row + "has no result; write \"open\" until there is one.");
        } else if (!cells[4].equals("open") && !isDate(cells[5])) {
            problems.add(row + "has a result, but \"" + cells[5] + "\" is no date (YYYY-MM-DD).");
        }
    }

    private void checkName(String row, String name) throws IOException {
        Matcher test = TEST.matcher(name);
        if (name.startsWith("./")) {
            String program = name.split(" ", 2)[0];
            if (!Files.isExecutable(root.resolve(program))) {
                problems.add(row + program + " does not exist or cannot be executed.");
            }
        } else if (!test.matches()) {
            problems.add(row + "`" + name + "` is neither Class, Class#method nor a command that begins with ./");
        } else {
            tests.add(name);
            if (!sourceExists(test.group(1))) {
                problems.add(row + test.group(1) + ".java is neither under */src/test/java nor in embed-testkit.");
            } else if (testsRan) {
                checkRan(row, name, test.group(1), test.group(2));
            }
        }
    }

    private void checkRan(String row, String name, String className, String method) {
        List<Report> matching = reports.stream()
                .filter(report -> report.className().equals(className)
                        || report.className().startsWith(className + "$"))
                .filter(report -> method == null || report.method().matches(method + "(\\W.*)?"))
                .toList();
        if (matching.isEmpty()) {
            problems.add(row + name + " did not run.");
        }
        matching.stream()
                .filter(report -> !report.passed())
                .forEach(report ->
                        problems.add(row + report.className() + "#" + report.method() + " failed or was skipped."));
    }

    private boolean sourceExists(String className) throws IOException {
        for (Path module : children(root)) {
            boolean isTestkit = module.endsWith("embed-testkit");
            for (String folder : isTestkit ? List.of("src/test/java", "src/main/java") : List.of("src/test/java")) {
                if (Files.isDirectory(module.resolve(folder))) {
                    try (Stream<Path> files = Files.walk(module.resolve(folder))) {
                        if (files.anyMatch(file -> file.endsWith(className + ".java"))) {
                            return true;
                        }
                    }
                }
            }
        }
        return false;
    }

    private void readReports() throws Exception {
        for (Path module : children(root)) {
            Path folder = module.resolve("target/surefire-reports");
            for (Path file : Files.isDirectory(folder) ? children(folder) : List.<Path>of()) {
                if (file.getFileName().toString().matches("TEST-.*\\.xml")) {
                    readReport(file);
                }
            }
        }
    }

    private void readReport(Path file) throws Exception {
        NodeList cases = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(file.toFile())
                .getElementsByTagName("testcase");
        for (int i = 0; i < cases.getLength(); i++) {
            Element test = (Element) cases.item(i);
            String className = test.getAttribute("classname");
            boolean passed = Stream.of("failure", "error", "skipped")
                    .allMatch(outcome -> test.getElementsByTagName(outcome).getLength() == 0);
            reports.add(
                    new Report(className.substring(className.lastIndexOf('.') + 1), test.getAttribute("name"), passed));
        }
    }

    private static boolean isDate(String text) {
        try {
            return LocalDate.parse(text) != null;
        } catch (DateTimeParseException e) {
            return false;
        }
    }

    private static List<Path> children(Path folder) throws IOException {
        try (Stream<Path> children = Files.list(folder)) {
            return children.sorted().toList();
        }
    }
}
