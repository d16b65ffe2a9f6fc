// SPDX-License-Identifier: Apache-2.0
package io.embed4j.verify;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.HelpTopic;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What errors print leads somewhere: anchors of the code and of docs/troubleshooting.md are the same. */
class TroubleshootingTest {
    private static final Pattern ANCHOR = Pattern.compile("<a id=\"([^\"]*)\"></a>");
    private static final Pattern SECTION =
            Pattern.compile("(?m)^### <a id=\"([^\"]*)\"></a>\\S.*\\n\\n(?s:.{80,}?)\\n\\n");
    private static final Pattern LINK = Pattern.compile("troubleshooting\\.md#([a-z0-9-]+)");

    @Test
    void everyTopicHasASectionAndEveryAnchorATopic() throws IOException {
        String document = Files.readString(Checkout.root().resolve("docs/troubleshooting.md"));
        List<String> topics =
                Arrays.stream(HelpTopic.values()).map(HelpTopic::anchor).toList();
        assertThat(found(ANCHOR, document)).containsExactlyInAnyOrderElementsOf(topics);
        assertThat(found(SECTION, document + "\n\n")).containsExactlyInAnyOrderElementsOf(topics);
    }

    @Test
    void everyTopicIsThrownSomewhere() throws IOException {
        String code = "";
        for (Path module : Checkout.modules()) {
            for (Path file : Checkout.javaFiles(module.resolve("src/main"))) {
                code += Files.readString(file);
            }
        }
        for (HelpTopic topic : HelpTopic.values()) {
            assertThat(code.contains("HelpTopic." + topic.name()))
                    .as("%s is used", topic)
                    .isTrue();
        }
    }

    @Test
    void linksFromDocumentsLeadToAnchors() throws IOException {
        List<String> topics =
                Arrays.stream(HelpTopic.values()).map(HelpTopic::anchor).toList();
        try (Stream<Path> documents = Files.list(Checkout.root().resolve("docs"))) {
            for (Path document :
                    documents.filter(file -> file.toString().endsWith(".md")).toList()) {
                assertThat(topics).as(document.toString()).containsAll(found(LINK, Files.readString(document)));
            }
        }
    }

    private static List<String> found(Pattern pattern, String text) {
        return pattern.matcher(text)
                .results()
                .map((MatchResult match) -> match.group(1))
                .toList();
    }
}
