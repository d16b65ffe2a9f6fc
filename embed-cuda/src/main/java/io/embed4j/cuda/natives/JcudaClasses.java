// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import jcuda.LibUtils;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads the natives of JCuda's classes, and then initialises the classes.
 *
 * <p>A class of JCuda loads its native when it is initialised, and is lost to the JVM if that fails. It looks for the
 * native with {@code System.loadLibrary}, whose path is fixed when the JVM starts, and then as a file of a fixed name in
 * the directory that the property {@code java.io.tmpdir} names at that moment; only if there is none it unpacks it there.
 * So:
 *
 * <ol>
 *   <li>The native is loaded from our file first. This may fail, says why, and can be repeated.
 *   <li>Only then the class is initialised, with {@code java.io.tmpdir} naming our file's directory. JCuda finds the file,
 *       and loading a file again does nothing.
 * </ol>
 *
 * <p>The property belongs to the whole JVM, therefore: it is changed under {@link JvmLock}, for the milliseconds that the
 * initialisation takes, once per class, and only where the native has loaded, so never on a machine without the driver.
 * The JDK's own users of the property, which remember it for ever, are made to read it before. Other code that reads it
 * at that very moment gets a directory that exists and, save where the user prepared a read-only one, can be written.
 *
 * <p>Other ways were looked at. A class loader of our own could override {@code findLibrary}, but JCuda and all classes
 * that use it would have to live in it. A replaced {@code jcuda.LibUtilsCuda}, by {@code Lookup.defineClass} or by its
 * place on the class path, fails as soon as the application itself uses JCuda.
 */
final class JcudaClasses {
    private static final String TEMPORARY_DIRECTORY = "java.io.tmpdir";

    private static final Logger LOG = LoggerFactory.getLogger(JcudaClasses.class);

    private JcudaClasses() {}

    /** The class loader that JCuda's classes come from; a parent of ours, or ours. */
    static ClassLoader loader() {
        ClassLoader loader = LibUtils.class.getClassLoader();
        return loader == null ? ClassLoader.getSystemClassLoader() : loader;
    }

    /**
     * Loads a native from a file.
     *
     * @param file where it lies, named as JCuda names it
     * @param libraryName JCuda's name for it, without prefix and extension
     * @throws UnsatisfiedLinkError if it cannot be loaded; may be tried again
     */
    static void loadNative(Path file, String libraryName) {
        if (loader() == JcudaClasses.class.getClassLoader()) {
            System.load(file.toString());
        } else {
            // A library serves the classes of the loader whose code loads it, so JCuda has to do it.
            withTemporaryDirectory(file, () -> LibUtils.loadLibrary(libraryName));
        }
    }

    /**
     * Initialises a class of JCuda whose native has been loaded.
     *
     * @param className the class
     * @param file the native
     * @throws LinkageError if the class was lost before, by somebody else's attempt
     */
    static void initialise(String className, Path file) {
        withTemporaryDirectory(file, () -> {
            try {
                Class.forName(className, true, loader());
            } catch (ClassNotFoundException e) {
                throw new NoClassDefFoundError(className);
            }
        });
    }

    private static void withTemporaryDirectory(Path file, Runnable action) {
        synchronized (JvmLock.LOCK) {
            letTheJdkRememberItsOwn();
            String ours = String.valueOf(file.getParent());
            String before = System.getProperty(TEMPORARY_DIRECTORY);
            System.setProperty(TEMPORARY_DIRECTORY, ours);
            try {
                action.run();
            } finally {
                restore(ours, before);
            }
        }
    }

    /** Unless somebody else set it meanwhile. */
    private static void restore(String ours, @Nullable String before) {
        if (ours.equals(System.getProperty(TEMPORARY_DIRECTORY))) {
            if (before == null) {
                System.clearProperty(TEMPORARY_DIRECTORY);
            } else {
                System.setProperty(TEMPORARY_DIRECTORY, before);
            }
        }
    }

    /** java.io and java.nio keep the directory of their first temporary file for as long as the JVM lives. */
    private static void letTheJdkRememberItsOwn() {
        try {
            Files.delete(File.createTempFile("embed4j", null).toPath());
            Files.delete(Files.createTempFile("embed4j", null));
        } catch (IOException | IllegalArgumentException e) {
            LOG.debug("No temporary file can be made: {}", e.toString()); // read, and remembered, all the same
        }
    }
}
