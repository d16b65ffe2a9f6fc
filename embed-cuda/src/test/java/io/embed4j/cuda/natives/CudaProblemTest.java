// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class CudaProblemTest {

    @Test
    void everyProblemHasASectionWithCauseAndRemedy() throws IOException {
        String text = Files.readString(Path.of("..").resolve(CudaProblem.DOCUMENT));
        Matcher section = Pattern.compile("<a id=\"([a-z-]+)\"></a>\n\n(.*?)(?=\n## |\\z)", Pattern.DOTALL)
                .matcher(text);
        List<String> anchors = new ArrayList<>();
        while (section.find()) {
            anchors.add(section.group(1));
            assertThat(section.group(2))
                    .as(section.group(1))
                    .contains("**Cause.**")
                    .contains("**Remedy.**");
        }
        assertThat(anchors)
                .containsExactlyElementsOf(Arrays.stream(CudaProblem.values())
                        .map(CudaProblem::anchor)
                        .toList());
    }
}
