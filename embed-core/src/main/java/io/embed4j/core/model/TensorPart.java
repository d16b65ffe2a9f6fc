// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A tensor's name as families write it: plain, or with {@code [1/3]} behind it for the second of three equal parts along
 * the first axis, where one tensor holds queries, keys and values. In row-major order such a part is a region of its own.
 *
 * @param name of the tensor in the file
 * @param part which part, from 0
 * @param parts how many there are; 1 for the whole
 */
record TensorPart(String name, int part, int parts) {
    private static final Pattern FORM = Pattern.compile("(.+)\\[(\\d)/(\\d)]");

    static TensorPart parse(String written) {
        Matcher matcher = FORM.matcher(written);
        return matcher.matches()
                ? new TensorPart(
                        matcher.group(1), Integer.parseInt(matcher.group(2)), Integer.parseInt(matcher.group(3)))
                : new TensorPart(written, 0, 1);
    }

    /**
     * Finds the part.
     *
     * @throws ModelFormatException if the tensor cannot be cut
     */
    Optional<WeightTensor> of(Map<String, WeightTensor> tensors) {
        WeightTensor whole = tensors.get(name);
        return whole == null || parts == 1 ? Optional.ofNullable(whole) : Optional.of(cut(whole));
    }

    private WeightTensor cut(WeightTensor whole) {
        if (whole.transposed() || whole.shape().isEmpty() || whole.shape().get(0) % parts != 0) {
            throw new ModelFormatException(
                    HelpTopic.MISSING_TENSOR,
                    "Tensor " + name + " of shape " + whole.shape() + " cannot be cut into " + parts + " equal parts"
                            + (whole.transposed() ? ", because it is stored transposed." : "."));
        }
        List<Integer> shape = new ArrayList<>(whole.shape());
        shape.set(0, shape.get(0) / parts);
        long bytes = whole.region().length() / parts;
        FileRegion region = new FileRegion(whole.region().file(), whole.region().offset() + part * bytes, bytes);
        return new WeightTensor(whole.name() + "[" + part + "/" + parts + "]", whole.type(), shape, false, region);
    }
}
