// SPDX-License-Identifier: Apache-2.0
package io.embed4j.verify;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.PackageMatcher;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Who may see whom, read from the class files of all modules. embed-bench is left out: it is no dependency of anything,
 * and brings the libraries we are measured against.
 */
class ArchitectureTest {
    private static final String ROOT = "io.embed4j";
    private static final String SPEC = "io.embed4j.spec..";
    private static final String SPI = "io.embed4j.spi..";
    private static final String CORE = "io.embed4j.core..";
    private static final String CPU = "io.embed4j.cpu..";
    private static final String CUDA = "io.embed4j.cuda..";
    private static final String CLI = "io.embed4j.cli..";
    private static final String TESTKIT = "io.embed4j.testkit..";

    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages(ROOT);

    @ParameterizedTest
    @ValueSource(strings = {ROOT, SPEC, SPI, CORE, CPU, CLI, TESTKIT})
    void theClassesOfEveryModuleAreLookedAt(String packages) {
        PackageMatcher matcher = PackageMatcher.of(packages);
        assertThat(packages()).anyMatch(matcher::matches);
    }

    @Test
    void everyPackageWithSourcesIsLookedAt() {
        Set<String> packagesOfSources = new TreeSet<>();
        for (Path module : Checkout.modules()) {
            Path sources = module.resolve("src/main/java");
            if (!module.endsWith("embed-bench")) {
                for (Path file : Checkout.javaFiles(sources)) {
                    packagesOfSources.add(sources.relativize(file.getParent())
                            .toString()
                            .replace(file.getFileSystem().getSeparator(), "."));
                }
            }
        }
        assertThat(packages()).containsAll(packagesOfSources);
    }

    @Test
    void theApiNeedsNothingButLoggingAndNullness() {
        classes()
                .that()
                .resideInAnyPackage(ROOT, SPEC, SPI)
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(ROOT, SPEC, SPI, "java..", "org.slf4j..", "org.jspecify..")
                .check(CLASSES);
    }

    @Test
    void architectureRecordsStandAlone() {
        noClasses()
                .that()
                .resideInAPackage(SPEC)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(ROOT, SPI)
                .check(CLASSES);
    }

    @Test
    void whatUsersSeeDoesNotShowTheSpi() {
        noClasses()
                .that()
                .resideInAPackage(ROOT)
                .should()
                .dependOnClassesThat()
                .resideInAPackage(SPI)
                .check(CLASSES);
    }

    @Test
    void theCpuBackendDoesNotSeeTheCudaBackend() {
        noClasses()
                .that()
                .resideInAPackage(CPU)
                .should()
                .dependOnClassesThat()
                .resideInAPackage(CUDA)
                .check(CLASSES);
    }

    @Test
    void theCudaBackendDoesNotSeeTheCpuBackend() {
        noClasses()
                .that()
                .resideInAPackage(CUDA)
                .should()
                .dependOnClassesThat()
                .resideInAPackage(CPU)
                .allowEmptyShould(true) // everyPackageWithSourcesIsLookedAt notices the first class
                .check(CLASSES);
    }

    @Test
    void coreSeesNoBackend() {
        noClasses()
                .that()
                .resideInAPackage(CORE)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(CPU, CUDA)
                .check(CLASSES);
    }

    @Test
    void theCommandSeesOnlyTheApi() {
        noClasses()
                .that()
                .resideInAPackage(CLI)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(CORE, CPU, CUDA, "ai..", "jcuda..")
                .check(CLASSES);
    }

    @Test
    void onlyTheCpuBackendSeesOnnxRuntime() {
        noClasses()
                .that()
                .resideOutsideOfPackage(CPU)
                .should()
                .dependOnClassesThat()
                .resideInAPackage("ai.onnxruntime..")
                .check(CLASSES);
    }

    @Test
    void onlyTheCudaBackendSeesJcuda() {
        noClasses()
                .that()
                .resideOutsideOfPackage(CUDA)
                .should()
                .dependOnClassesThat()
                .resideInAPackage("jcuda..")
                .check(CLASSES);
    }

    @Test
    void nothingThatShipsSeesTheTestkit() {
        noClasses()
                .that()
                .resideOutsideOfPackage(TESTKIT)
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(TESTKIT, "org.junit..", "org.assertj..")
                .check(CLASSES);
    }

    /** Every package is a slice, the root package too. */
    @Test
    void packagesAreFreeOfCycles() {
        SliceAssignment onePerPackage = new SliceAssignment() {
            @Override
            public SliceIdentifier getIdentifierOf(JavaClass type) {
                return SliceIdentifier.of(type.getPackageName());
            }

            @Override
            public String getDescription() {
                return "one per package";
            }
        };
        slices().assignedFrom(onePerPackage).should().beFreeOfCycles().check(CLASSES);
    }

    @Test
    void everyPackageIsNullMarked() {
        assertThat(packages())
                .allSatisfy(name -> assertThat(CLASSES.getPackage(name).isAnnotatedWith(NullMarked.class))
                        .as("package-info with @NullMarked in %s", name)
                        .isTrue());
    }

    private static Set<String> packages() {
        return CLASSES.stream().map(JavaClass::getPackageName).collect(Collectors.toCollection(TreeSet::new));
    }
}
