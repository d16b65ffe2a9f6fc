// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedOptions;
import io.embed4j.ModelInfo;
import io.embed4j.SimilarityFunction;
import io.embed4j.TextRole;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.spec.Activation;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spi.OutputRequest;
import io.embed4j.testkit.Fixture;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class OutputPlanTest {
    private static final EmbedOptions DEFAULTS = EmbedOptions.defaults();

    /** CLS over H = 48, then the head. */
    private static EncoderSpec spec(HeadModule... head) {
        EncoderSpec bert = ModelLoader.load(Fixture.load("bert-h48-a2").model()).spec();
        return new EncoderSpec(
                bert.hiddenSize(),
                bert.embedding(),
                bert.layers(),
                bert.finalNorm(),
                bert.pooling(),
                List.of(head),
                bert.overflowsFp16());
    }

    private static ModelInfo model(@Nullable String defaultPromptName) {
        return new ModelInfo(
                "tiny",
                "bert",
                48,
                48,
                3,
                40,
                1,
                Map.of("query", "query: ", "document", ""),
                defaultPromptName,
                SimilarityFunction.COSINE);
    }

    private static OutputPlan plan(EncoderSpec spec, EmbedOptions options) {
        return OutputPlan.of(spec, model(null), options);
    }

    @Test
    void withoutOptionsEverythingIsAsTheModelHasIt() {
        PoolingSpec cls = PoolingSpec.of(PoolingMode.CLS);
        assertThat(plan(spec(new HeadModule.Normalize()), DEFAULTS))
                .isEqualTo(new OutputPlan("", true, new OutputRequest.Pooled(cls, 48, true)));
        assertThat(plan(spec(), DEFAULTS).request()).isEqualTo(new OutputRequest.Pooled(cls, 48, false));
    }

    @Test
    void optionsGoBeforeTheModel() {
        PoolingSpec both = new PoolingSpec(List.of(PoolingMode.MAX, PoolingMode.MEAN), false);
        OutputPlan plan = plan(
                spec(new HeadModule.Normalize()),
                DEFAULTS.withPooling(both).withNormalize(false).withDimension(70));
        assertThat(plan).isEqualTo(new OutputPlan("", false, new OutputRequest.Pooled(both, 70, false)));
    }

    @Test
    void theDimensionEndsWithTheHead() {
        EncoderSpec dense = spec(new HeadModule.Dense(48, 20, true, Activation.IDENTITY));
        assertThat(plan(dense, DEFAULTS).request().dimension()).isEqualTo(20);
        assertThat(plan(dense, DEFAULTS.withDimension(20)).request().dimension())
                .isEqualTo(20);
        assertThatThrownBy(() -> plan(dense, DEFAULTS.withDimension(21)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The output dimension 21 is larger than the model's vectors of 20.");
        assertThatThrownBy(() -> plan(spec(), DEFAULTS.withDimension(49)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The output dimension 49 is larger than the model's vectors of 48.");
    }

    @Test
    void aHeadTakesNoPoolingOfAnotherWidth() {
        EncoderSpec dense = spec(new HeadModule.Dense(48, 20, true, Activation.IDENTITY));
        PoolingSpec mean = PoolingSpec.of(PoolingMode.MEAN);
        assertThat(plan(dense, DEFAULTS.withPooling(mean)).request().pooling()).isEqualTo(mean);
        assertThatThrownBy(() -> plan(dense, DEFAULTS.withPooling(PoolingSpec.of(PoolingMode.CLS, PoolingMode.MEAN))))
                .isInstanceOf(UnsupportedModelException.class)
                .hasMessage("Pooling [CLS, MEAN] does not fit the model's head, which is made for [CLS].");
    }

    @Test
    void promptsAreNamedOrGivenOrTheModels() {
        assertThat(OutputPlan.prompt(model(null), DEFAULTS)).isEmpty();
        assertThat(OutputPlan.prompt(model("query"), DEFAULTS)).isEqualTo("query: ");
        assertThat(OutputPlan.prompt(model("query"), DEFAULTS.withPrompt(""))).isEmpty();
        assertThat(OutputPlan.prompt(model("query"), DEFAULTS.withPromptName("document")))
                .isEmpty();
        assertThat(OutputPlan.prompt(model(null), DEFAULTS.withPromptName("query")))
                .isEqualTo("query: ");
        assertThatThrownBy(() -> OutputPlan.prompt(model(null), DEFAULTS.withPromptName("quarry")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("The model tiny has no prompt named \"quarry\". It has [")
                .hasMessageContainingAll("query", "document");
    }

    @Test
    void aRolePicksItsPromptAndGivesWayToOneThatIsNamed() {
        EmbedOptions query = DEFAULTS.withRole(TextRole.QUERY);
        assertThat(OutputPlan.prompt(model("query"), DEFAULTS.withRole(TextRole.DOCUMENT)))
                .as("not the default prompt")
                .isEmpty();
        assertThat(OutputPlan.prompt(model(null), query)).isEqualTo("query: ");
        assertThat(OutputPlan.prompt(model(null), query.withPromptName("document")))
                .isEmpty();
        assertThat(OutputPlan.prompt(model(null), query.withPrompt("ask: "))).isEqualTo("ask: ");
    }
}
