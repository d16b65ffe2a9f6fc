/** Whether embed4j can work here: {@link io.embed4j.core.doctor.Doctor} makes the checks of {@code embed doctor}. */
@NullMarked
package io.embed4j.core.doctor;

import org.jspecify.annotations.NullMarked;
