"""Runs test modules of CPython and prints a line for each test: `ok`, `skipped`, `FAILED` or `ERROR`, and its name.

    run_tests.py SKIP MODULE...    SKIP: a regular expression; tests whose names it matches are left out.
"""

import re
import sys
import traceback
import unittest


class Lines(unittest.TestResult):
    """Tells each result as it comes, so that what a killed run had done is known."""

    def tell(self, word, test):
        print(word, test.id(), flush=True)

    def addSuccess(self, test):
        self.tell("ok", test)

    def addSkip(self, test, reason):
        self.tell("skipped", test)

    def addExpectedFailure(self, test, err):
        self.tell("ok", test)

    def addFailure(self, test, err):
        self.complain("FAILED", test, err)

    def addError(self, test, err):
        self.complain("ERROR", test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.complain("FAILED", test, err)

    def complain(self, word, test, err):
        self.tell(word, test)
        for line in traceback.format_exception(*err)[-6:]:
            print("    " + line.rstrip().replace("\n", "\n    "), flush=True)


def cases(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases(item)
        else:
            yield item


def main():
    skip = re.compile(sys.argv[1])
    suite = unittest.TestLoader().loadTestsFromNames(sys.argv[2:])
    chosen = unittest.TestSuite(case for case in cases(suite) if not skip.search(case.id()))
    chosen.run(Lines())
    print("done", flush=True)


main()
