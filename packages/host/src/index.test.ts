import native from '../native/index.js';
import * as host from './index.js';

describe('@tsv/host', () => {
  it('exports everything that the addon has', () => {
    expect(Object.keys(native).filter((name) => !(name in host))).toEqual([]);
  });
});
