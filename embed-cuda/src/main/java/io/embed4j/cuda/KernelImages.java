// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.DeviceUnavailableException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.ref.SoftReference;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.tukaani.xz.XZInputStream;

/**
 * The compiled kernels that this jar carries, and which of them suits a device.
 *
 * <p>An image of machine code (cubin) runs on devices of its own major compute capability and the same or a later minor
 * one. PTX runs on any device from its capability on, but the driver compiles it first, which may take the first
 * process on a machine half a minute. Either needs a driver that is not older than the CUDA it was made by. Machine
 * code is preferred, and the closest capability. {@code index.txt} lists the images; native/build.sh writes it and them.
 */
final class KernelImages {
    private static final String FOLDER = "kernels/";

    /** By file, while memory lasts: unpacking takes 60 ms, and embedders one after another open the device each time. */
    private static final Map<String, SoftReference<byte[]>> UNPACKED = new ConcurrentHashMap<>();

    private final List<Image> images;

    /** What an image contains. */
    enum Kind {
        CUBIN,
        PTX
    }

    /**
     * A line of the index.
     *
     * @param file name of the resource
     * @param kind machine code or PTX
     * @param computeCapability of the device it was made for, 80 for 8.0
     * @param firstDriverVersion the oldest driver that takes it, 12020 for CUDA 12.2
     */
    record Image(String file, Kind kind, int computeCapability, int firstDriverVersion) {
        private static Image parse(String line) {
            String[] words = line.split(" ", -1);
            return new Image(
                    words[0],
                    Kind.valueOf(words[1].toUpperCase(Locale.ROOT)),
                    Integer.parseInt(words[2]),
                    Integer.parseInt(words[3]));
        }

        private boolean suits(int device) {
            boolean sameMajor = computeCapability / 10 == device / 10;
            return computeCapability <= device && (kind == Kind.PTX || sameMajor);
        }

        /**
         * The image as the driver loads it: a cubin, or PTX with its zero at the end. The same array each time, not to be
         * written to.
         */
        byte[] bytes() {
            SoftReference<byte[]> kept = UNPACKED.get(file);
            byte[] bytes = kept == null ? null : kept.get();
            if (bytes == null) {
                bytes = unpack();
                UNPACKED.put(file, new SoftReference<>(bytes));
            }
            return bytes;
        }

        private byte[] unpack() {
            try (InputStream packed = open(file);
                    InputStream unpacked = new XZInputStream(packed)) {
                return unpacked.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException("The kernel image " + file + " in the jar cannot be read.", e);
            }
        }
    }

    KernelImages(List<Image> images) {
        this.images = List.copyOf(images);
    }

    /** The images of this jar. */
    static KernelImages ofThisJar() {
        try (InputStream index = open("index.txt")) {
            return new KernelImages(new String(index.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.startsWith("#"))
                    .map(Image::parse)
                    .toList());
        } catch (IOException e) {
            throw new UncheckedIOException("The index of the kernel images in the jar cannot be read.", e);
        }
    }

    /**
     * The images for a device, the best first. A driver that refuses one may take the next.
     *
     * @param driverVersion the CUDA version of the driver, 12020 for 12.2
     * @param computeCapability of the device, 80 for 8.0
     * @return at least one
     * @throws DeviceUnavailableException if the device or the driver is too old
     */
    List<Image> suitable(int driverVersion, int computeCapability) {
        List<Image> ofDevice =
                images.stream().filter(image -> image.suits(computeCapability)).toList();
        if (ofDevice.isEmpty()) {
            int oldest =
                    images.stream().mapToInt(Image::computeCapability).min().orElseThrow();
            throw new DeviceUnavailableException("The device has compute capability " + decimal(computeCapability)
                    + ", and the kernels need " + decimal(oldest) + ". Use a newer device, or the device cpu.");
        }
        // Machine code before PTX, then the closest capability, then the newest compiler.
        Comparator<Image> preference = Comparator.comparing(Image::kind)
                .thenComparing(Image::computeCapability, Comparator.reverseOrder())
                .thenComparing(Image::firstDriverVersion, Comparator.reverseOrder());
        List<Image> suitable = ofDevice.stream()
                .filter(image -> image.firstDriverVersion() <= driverVersion)
                .sorted(preference)
                .toList();
        if (suitable.isEmpty()) {
            int needed =
                    ofDevice.stream().mapToInt(Image::firstDriverVersion).min().orElseThrow();
            throw new DeviceUnavailableException("The NVIDIA driver offers CUDA " + cuda(driverVersion)
                    + ", and the kernels for compute capability " + decimal(computeCapability) + " need "
                    + cuda(needed) + ". Install a newer driver, or use the device cpu.");
        }
        return suitable;
    }

    List<Image> all() {
        return images;
    }

    private static String decimal(int computeCapability) {
        return computeCapability / 10 + "." + computeCapability % 10;
    }

    private static String cuda(int driverVersion) {
        return driverVersion / 1000 + "." + driverVersion % 1000 / 10;
    }

    private static InputStream open(String file) throws IOException {
        InputStream resource = KernelImages.class.getResourceAsStream(FOLDER + file);
        if (resource == null) {
            throw new IOException("The jar of embed-cuda has no resource " + FOLDER + file + ".");
        }
        return resource;
    }
}
