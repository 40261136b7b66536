import { mergeExpositions } from './merge-expositions.js';

const text = (id: string, extra = ''): string =>
  `# HELP a An "a"\n# TYPE a gauge\na{sandbox="${id}"} 1\n${extra}# HELP b Some b\n# TYPE b gauge\nb{sandbox="${id}"} 2\n`;

describe('mergeExpositions', () => {
  it('keeps the series of a metric together, under one HELP and TYPE', () => {
    expect(mergeExpositions([text('x'), text('y', 'a{sandbox="y",k="v"} 3\n')])).toBe(
      '# HELP a An "a"\n# TYPE a gauge\na{sandbox="x"} 1\na{sandbox="y"} 1\na{sandbox="y",k="v"} 3\n' +
        '# HELP b Some b\n# TYPE b gauge\nb{sandbox="x"} 2\nb{sandbox="y"} 2\n',
    );
  });

  it.each([[[]], [['']], [['', '']]])('is empty for %j', (texts) => {
    expect(mergeExpositions(texts)).toBe('');
  });
});
