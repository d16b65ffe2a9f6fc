// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import ai.djl.engine.Engine;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession.SessionOptions;
import io.embed4j.DeviceUnavailableException;
import io.embed4j.HelpTopic;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The ONNX Runtime on the class path, used through DJL.
 *
 * <p>DJL's engine cannot start where another library has already made the JVM's one OrtEnvironment (it insists on
 * setting thread options, <a href="https://github.com/deepjavalibrary/djl/issues/3679">DJL 3679</a>). Then sessions are
 * made with ONNX Runtime's own API, behind the same {@link EncoderSession}. So are those for the latency of one run: DJL's
 * bookkeeping is a tenth of a millisecond a run, 4 % of a short text.
 *
 * <p>Another library's POM may have brought an older ONNX Runtime than the graph needs, so its version is checked before
 * the first session.
 */
final class OnnxRuntime {
    private static final String REMEDY =
            "Declare com.microsoft.onnxruntime:onnxruntime 1.29.0 or later in your own dependencies.";

    private static final Logger LOG = LoggerFactory.getLogger(OnnxRuntime.class);
    private static final String ENGINE = "OnnxRuntime";

    /** The minor version of 1.x with which the graph was checked. */
    private static final int OLDEST_MINOR = 29;

    /** Fusions that change a vector's last bits; a text would have others alone than in a batch. */
    private static final String OTHER_NUMBERS =
            "SkipLayerNormFusion;SimplifiedLayerNormFusion;LayerNormFusion;BiasGeluFusion;QuickGeluFusion;FastGeluFusion";

    private OnnxRuntime() {}

    /** Started once, at the first use. */
    private static final class Started {
        static final boolean THROUGH_DJL = startDjl();
        static final OrtEnvironment ENVIRONMENT = OrtEnvironment.getEnvironment();

        private Started() {}

        private static boolean startDjl() {
            // DJL reports usage and asks for cloud metadata unless it is told not to before it starts.
            System.setProperty("OPT_OUT_TRACKING", "true");
            System.setProperty("ai.djl.offline", "true");
            try {
                return Engine.getEngine(ENGINE) != null;
            } catch (RuntimeException | LinkageError e) {
                LOG.info("DJL's OnnxRuntime engine does not start ({}); using ONNX Runtime directly.", e.toString());
                return false;
            }
        }
    }

    /** Why the library cannot be used, and what would help. */
    record Obstacle(String reason, String remedy, @Nullable Throwable cause) {
        DeviceUnavailableException exception() {
            String message = reason + " " + remedy;
            return cause == null
                    ? new DeviceUnavailableException(HelpTopic.ONNX_RUNTIME, message)
                    : new DeviceUnavailableException(HelpTopic.ONNX_RUNTIME, message, cause);
        }
    }

    /** Whether the library is there and new enough: empty if it is. */
    static Optional<Obstacle> obstacle() {
        String version;
        try {
            version = version();
        } catch (LinkageError | RuntimeException e) {
            return Optional.of(notLoaded(e));
        }
        return tooOld(version);
    }

    /** DJL's attempt was the first; later ones hold its failure as their innermost cause. */
    private static Obstacle notLoaded(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return new Obstacle(
                "ONNX Runtime could not be loaded on " + System.getProperty("os.name") + " "
                        + System.getProperty("os.arch") + ": " + root + ".",
                "Its native library (30 MB) is unpacked to the temporary directory "
                        + System.getProperty("java.io.tmpdir")
                        + ", which must be writable, have room and not be mounted noexec;"
                        + " set the system property java.io.tmpdir to another directory.",
                failure);
    }

    static Optional<Obstacle> tooOld(String version) {
        String[] numbers = version.split("\\.", -1);
        if (Integer.parseInt(numbers[0]) == 1 && Integer.parseInt(numbers[1]) < OLDEST_MINOR) {
            return Optional.of(new Obstacle(
                    "ONNX Runtime " + version + " is on the class path; embed4j needs 1." + OLDEST_MINOR + " or later.",
                    REMEDY,
                    null));
        }
        return Optional.empty();
    }

    static String version() {
        return Started.ENVIRONMENT.getVersion();
    }

    /** How sessions are made, for reports. */
    static String description() {
        return "ONNX Runtime " + version() + (Started.THROUGH_DJL ? " through DJL " + Engine.getDjlVersion() : "");
    }

    /**
     * Opens a session.
     *
     * @param model the ONNX model
     * @param folder where its external data lies
     * @param threads threads that share each run: 1 for many runs at a time, more for the latency of one
     */
    static EncoderSession open(byte[] model, Path folder, int threads) {
        return open(model, options(folder, threads), Started.THROUGH_DJL && threads == 1);
    }

    /**
     * Opens a session for one run, which takes little and leaves nothing behind: weights are multiplied where they are
     * mapped, not repacked into memory, widened one by one as they are needed, and what the run takes it gives back.
     *
     * @param model the ONNX model
     * @param folder where its external data lies
     */
    @SuppressWarnings("resource") // the session closes its options
    static EncoderSession openOnce(byte[] model, Path folder) {
        try {
            SessionOptions options = options(folder, 1);
            options.addConfigEntry("session.disable_prepacking", "1");
            options.setOptimizationLevel(SessionOptions.OptLevel.NO_OPT);
            options.setCPUArenaAllocator(false);
            return open(model, options, Started.THROUGH_DJL);
        } catch (OrtException e) {
            throw refused(e);
        }
    }

    private static EncoderSession open(byte[] model, SessionOptions options, boolean throughDjl) {
        return UntilTheEnd.guard(
                throughDjl ? DjlSession.open(model, options) : DirectSession.open(Started.ENVIRONMENT, model, options));
    }

    /**
     * The environment that all sessions share, for who calls ONNX Runtime itself because DJL would copy.
     */
    static OrtEnvironment environment() {
        return Started.ENVIRONMENT;
    }

    @SuppressWarnings("resource") // the session closes its options
    private static SessionOptions options(Path folder, int threads) {
        try {
            SessionOptions options = options(threads);
            options.addConfigEntry("session.model_external_initializers_file_folder_path", folder.toString());
            return options;
        } catch (OrtException e) {
            throw refused(e);
        }
    }

    /**
     * The options of all sessions.
     *
     * @param threads threads that share each run
     */
    @SuppressWarnings("resource") // the session closes its options
    static SessionOptions options(int threads) {
        try {
            SessionOptions options = new SessionOptions();
            options.setIntraOpNumThreads(threads);
            options.setInterOpNumThreads(1);
            // Threads that share a run meet many times in it, and waking up would cost more than the work between.
            options.addConfigEntry("session.intra_op.allow_spinning", threads > 1 ? "1" : "0");
            // Basic folds constants. What goes beyond spares short runs a few operators and makes long ones slower.
            options.setOptimizationLevel(
                    threads > 1 ? SessionOptions.OptLevel.ALL_OPT : SessionOptions.OptLevel.BASIC_OPT);
            options.addConfigEntry("optimization.disable_specified_optimizers", OTHER_NUMBERS);
            // Shapes change with every batch, so memory patterns would only be collected, never used.
            options.setMemoryPatternOptimization(false);
            return options;
        } catch (OrtException e) {
            throw refused(e);
        }
    }

    private static DeviceUnavailableException refused(OrtException e) {
        return new DeviceUnavailableException(
                HelpTopic.ONNX_RUNTIME,
                "ONNX Runtime " + version() + " refuses a session option: " + e.getMessage() + ". " + REMEDY,
                e);
    }
}
