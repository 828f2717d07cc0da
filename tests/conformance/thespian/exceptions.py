"""The tests of Thespian that pass on its simpleSystemBase and not on our base: each with the reason.

They run all the same, unless told otherwise here, and one that passes fails the run: then it leaves this list.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EXCEPTIONS", "PASSED_ON_SIMPLE_SYSTEM_BASE", "Exemption"]

# Measured with Thespian 4.0.1 and its own fixtures.
PASSED_ON_SIMPLE_SYSTEM_BASE = 264

SOURCE_LOADING = (
    "They send Python source to the running system and create actors from it. Our base loads no code at run time: an "
    "actor's class is imported from an installed module"
)
HANDLERS_SLEEP = (
    "100 threads ask at the same moment for handlers that each block their loop with time.sleep(0.07), and wait 5 s: "
    "7 s of sleeping on one thread. simpleSystemBase sleeps as long, but ignores the 5 s (it hands them to Queue.get "
    "as its first argument, `block`). The same test with 1, 2, 5 and 10 threads passes"
)


@dataclass(frozen=True, slots=True)
class Exemption:
    """Why a test may fail.

    Attributes:
        reason: shown in the report.
        run: False for one whose outcome depends on the machine's speed.
    """

    reason: str
    run: bool = True


_SOURCE_LOADING_TESTS = """
test01_verifyFooActorNotAvailableByName
test01_verifyloadSourceHandlesBadFilename
test02_verifyMainActorAvailableWhenLoaded
test02_verifyNotificationAndMainActorCreateWhenLoaded
test02_verifyNotificationMultipleAndMainActorCreateWhenLoaded
test02_verifyNotificationOfLoadedOnRegistration
test02_verifyNoSourceAuthorityIgnoresLoad
test02_verifyNotificationNotSentWithNoSourceAuthority
test02_verifyNotificationStopDoesNotNotify
test02_verifyNotificationKillDoesNotBreakNotify
test02_verifyNotificationOfMultipleKillOneDoesNotBreakNotify
test02_verifySubActorAvailableWhenLoaded
test02_verifySubModuleAvailableWhenLoaded
test02_verifyAllAbsoluteImportPossibilities
test02_verifyAllRelativeImportPossibilities
test02_verifyDeepImportReferences
test02_verifyHashSourceAvailablePostLoadFromMembers
test02_verifyHashSourceNotInGlobalNamespace
test03_verifyFooActorNotAvailableWithoutModuleQualifiersOrHash
test03_verifyFooActorNotAvailableWithoutCorrectHash
test03_verifyFooActorNotAvailableWithoutModuleQualifiers
test04_verifyReloadOfChangedModuleAllowsBothToExistSimultaneously
test04_verifyMultipleSeparateModulesLoaded
test04_verifyNotificationOfMultipleSeparateModulesLoaded
test04_verifyNotificationOfMultipleSeparateModulesLoadedPreAndPostRegistration
test04_verifyMultipleSeparateModulesRequireCorrectSourceHashOnCreate
test05_verifyUnloadOfHashedSourcePreventsActorCreation
test04_actorsCanLoadAndUnloadSource
test04_verifyNotificationOfMultipleSeparateModulesUnLoaded
test04_circular_import_references
test05_verifyUnloadOfHashedSourceDoesNotKillActiveActors
test05_verifyMultipleSeparateModulesCanUseOtherAfterFirstUnloaded
test04_verifyReloadOfChangedModuleAndUnloadOfOriginal
test06_sourceAuthorityCanRegister
test07_sourceAuthorityRejectsInvalidSource
test07_sourceAuthorityAcceptsValidSource
test07_sourceAuthorityAcceptsValidSourceAfterBadSource
test07_sourceAuthorityAcceptsMultipleValidSources
test07_multipleValidSourcesCanCommunicate
test07_sourceAuthorityAcceptsValidSourceResultIsCorrupted
test07_sourceAuthorityExceptions
"""

EXCEPTIONS: dict[str, Exemption] = {
    **{
        f"test_sourceLoading.py::TestFuncLoadSource::{test}": Exemption(SOURCE_LOADING)
        for test in _SOURCE_LOADING_TESTS.split()
    },
    "test_troupe.py::testLoadableHive": Exemption(SOURCE_LOADING),
    "test_troupe.py::testLoadableColony": Exemption(SOURCE_LOADING),
    "test_threadedExternal.py::TestFuncThreadedExternal::test_multiple_threads_private_context_ask-100": Exemption(
        HANDLERS_SLEEP, run=False
    ),
}
