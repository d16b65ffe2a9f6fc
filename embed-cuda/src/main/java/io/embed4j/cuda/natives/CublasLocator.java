// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.io.File;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The directories that may hold cuBLAS beside those that the system's own loader looks through, best first: the one that
 * the user named, and then no other; CUDA_HOME and CUDA_PATH; the CUDA toolkits under /usr/local, the newest first; and
 * the packages nvidia-cublas, nvidia-cublas-cu12 and the like of every Python that can be seen from here, as PyTorch
 * brings them.
 */
final class CublasLocator {
    /** Names a directory with cuBLAS, or the file itself. */
    static final String PROPERTY = "embed4j.cuda.cublas";

    static final String VARIABLE = "EMBED4J_CUDA_CUBLAS";

    private final Platform platform;
    private final Map<String, String> environment;
    private final Path root;
    private final @Nullable String home;
    private final @Nullable String named;

    /**
     * Looks from somewhere.
     *
     * @param platform how files are called
     * @param environment the environment variables
     * @param root the root of the file system
     * @param home the user's home directory
     * @param named the value of {@link #PROPERTY}
     */
    CublasLocator(
            Platform platform,
            Map<String, String> environment,
            Path root,
            @Nullable String home,
            @Nullable String named) {
        this.platform = platform;
        this.environment = environment;
        this.root = root;
        this.home = home;
        this.named = named == null || named.isBlank() ? environment.get(VARIABLE) : named;
    }

    /** Looks from this process. */
    static CublasLocator ofThisProcess(Platform platform) {
        return new CublasLocator(
                platform,
                System.getenv(),
                Path.of(File.separator),
                System.getProperty("user.home"),
                System.getProperty(PROPERTY));
    }

    /** The directory that the user named, to be used or refused. */
    Optional<Path> named() {
        if (named == null || named.isBlank()) {
            return Optional.empty();
        }
        Path path = Path.of(named).toAbsolutePath();
        return Files.isRegularFile(path) ? Optional.ofNullable(path.getParent()) : Optional.of(path);
    }

    /** The directories to try in turn, without doubles. They exist; what they hold is not known. */
    List<Path> directories() {
        Set<Path> directories = new LinkedHashSet<>();
        toolkits(directories);
        for (Path packages : pythonPackages()) {
            addIfDirectory(directories, packages, "nvidia/cublas/" + pythonLibraryFolder());
            // Since CUDA 13 all of NVIDIA's packages share a folder, nvidia/cu13.
            for (Path shared : children(packages.resolve("nvidia"), "cu[0-9]*")) {
                addIfDirectory(directories, shared, pythonLibraryFolder());
            }
        }
        return List.copyOf(directories);
    }

    private String pythonLibraryFolder() {
        return platform == Platform.WINDOWS ? "bin" : "lib";
    }

    private void toolkits(Set<Path> directories) {
        List<Path> toolkits = new ArrayList<>();
        for (String variable : List.of("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT")) {
            addPath(toolkits, environment.get(variable));
        }
        addPath(toolkits, environment.get("CONDA_PREFIX"));
        toolkits.add(root.resolve("usr/local/cuda"));
        List<Path> numbered = new ArrayList<>(children(root.resolve("usr/local"), "cuda-*"));
        numbered.sort(Comparator.comparing(CublasLocator::version).reversed());
        toolkits.addAll(numbered);
        toolkits.add(root.resolve("opt/cuda"));
        for (Path toolkit : toolkits) {
            if (platform == Platform.WINDOWS) {
                addIfDirectory(directories, toolkit, "bin/x64");
                addIfDirectory(directories, toolkit, "bin");
            } else {
                addIfDirectory(directories, toolkit, "lib64");
                addIfDirectory(directories, toolkit, "lib");
                addIfDirectory(directories, toolkit, "targets/x86_64-linux/lib");
            }
        }
    }

    /** cuda-12.10 is newer than cuda-12.9. */
    private static double version(Path toolkit) {
        String[] parts =
                toolkit.getFileName().toString().replaceAll("[^0-9.]", "").split("\\.", -1);
        double version = 0;
        for (int i = 0; i < 3; i++) {
            String part = i < parts.length && !parts[i].isEmpty() ? parts[i] : "0";
            version = version * 1000 + Integer.parseInt(part.length() > 3 ? part.substring(0, 3) : part);
        }
        return version;
    }

    /** The site-packages and dist-packages of every Python that the environment points to. */
    private List<Path> pythonPackages() {
        List<Path> packages = new ArrayList<>();
        addPaths(packages, environment.get("PYTHONPATH"));
        List<Path> prefixes = new ArrayList<>();
        addPath(prefixes, environment.get("VIRTUAL_ENV"));
        addPath(prefixes, environment.get("CONDA_PREFIX"));
        addPath(prefixes, environment.get("PYTHONHOME"));
        if (home != null) {
            addPath(prefixes, home + "/.local");
        }
        List<Path> searched = new ArrayList<>();
        addPaths(searched, environment.get("PATH"));
        for (Path directory : searched) {
            boolean hasPython =
                    Files.exists(directory.resolve("python3")) || Files.exists(directory.resolve("python.exe"));
            if (hasPython && directory.getParent() != null) {
                prefixes.add(platform == Platform.WINDOWS ? directory : directory.getParent());
            }
        }
        prefixes.add(root.resolve("usr/local"));
        prefixes.add(root.resolve("usr"));
        prefixes.add(root.resolve("opt/conda"));
        for (Path prefix : prefixes) {
            packages.add(prefix.resolve("Lib/site-packages")); // Windows
            for (Path python : children(prefix.resolve("lib"), "python3*")) {
                packages.add(python.resolve("site-packages"));
                packages.add(python.resolve("dist-packages"));
            }
        }
        return packages;
    }

    private static void addPaths(List<Path> paths, @Nullable String list) {
        if (list != null) {
            for (String path : list.split(File.pathSeparator, -1)) {
                addPath(paths, path);
            }
        }
    }

    private static void addPath(List<Path> paths, @Nullable String path) {
        if (path != null && !path.isBlank()) {
            try {
                paths.add(Path.of(path));
            } catch (InvalidPathException e) {
                return; // somebody else's setting, with which no file can be found
            }
        }
    }

    /** Toolkits are full of links to themselves; each directory is tried once. */
    private static void addIfDirectory(Set<Path> directories, Path parent, String below) {
        Path directory = parent.resolve(below);
        if (Files.isDirectory(directory)) {
            try {
                directories.add(directory.toRealPath());
            } catch (IOException e) {
                directories.add(directory.toAbsolutePath()); // not for us to read; the loader will say so
            }
        }
    }

    private static List<Path> children(Path directory, String glob) {
        List<Path> children = new ArrayList<>();
        if (Files.isDirectory(directory)) {
            try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory, glob)) {
                stream.forEach(children::add);
            } catch (IOException | java.nio.file.DirectoryIteratorException e) {
                return List.of(); // cannot be read, so nothing can be loaded from there
            }
        }
        children.sort(Comparator.reverseOrder());
        return children;
    }
}
