// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

/**
 * A backend's name and the ordinal of one of its devices.
 *
 * <pre>{@code
 * DeviceId gpu = DeviceId.parse("cuda:0");
 * if (!gpu.backend().equals("cuda") || !gpu.toString().equals("cuda:0")) throw new AssertionError(gpu);
 * }</pre>
 *
 * @param backend {@code cpu}, {@code cuda}
 * @param ordinal 0 for the first device
 * @since 0.1
 */
public record DeviceId(String backend, int ordinal) {

    /** The CPU. */
    public static final DeviceId CPU = new DeviceId("cpu", 0);

    /**
     * Reads an id as users write it.
     *
     * @param text {@code cpu}, {@code cuda:0}
     * @return the id
     * @throws IllegalArgumentException if the text has another form
     */
    public static DeviceId parse(String text) {
        int colon = text.indexOf(':');
        if (text.matches("[a-z]+(:\\d{1,4})?")) {
            return colon < 0
                    ? new DeviceId(text, 0)
                    : new DeviceId(text.substring(0, colon), Integer.parseInt(text.substring(colon + 1)));
        }
        throw new IllegalArgumentException("Unknown device \"" + text + "\". Use cpu or cuda:N, for instance cuda:0.");
    }

    /** The id as users write it. */
    @Override
    public String toString() {
        return backend.equals("cpu") ? backend : backend + ":" + ordinal;
    }
}
