// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

/**
 * A matrix in device memory, row-major.
 *
 * @param place where its first row begins
 * @param rows how many rows it has
 * @param columns how many numbers of each row count
 * @param stride from the beginning of a row to that of the next, in elements
 */
public record Matrix(DevicePointer place, int rows, int columns, int stride) {

    /**
     * Rows one behind the other, without padding.
     *
     * @param place where its first row begins
     * @param rows how many rows it has
     * @param columns how many numbers a row has
     */
    public static Matrix dense(DevicePointer place, int rows, int columns) {
        return new Matrix(place, rows, columns, columns);
    }

    @Override
    public String toString() {
        return "[" + rows + ", " + columns + "]";
    }
}
