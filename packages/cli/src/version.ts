import { SPEC_VERSION } from '@tsv/oci';

/** Version of this package; a test compares it with package.json. */
export const VERSION = '0.1.0';

/** What `tsv --version` prints, in runsc's form, which Docker reads. */
export const VERSION_TEXT = `tsv version ${VERSION}\nspec: ${SPEC_VERSION}`;
