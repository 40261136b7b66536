import { parseListenAddress } from './listen-address.js';

describe('parseListenAddress', () => {
  it.each`
    text                | address
    ${'/run/m.sock'}    | ${{ path: '/run/m.sock' }}
    ${'./m.sock'}       | ${{ path: './m.sock' }}
    ${'0'}              | ${{ host: '127.0.0.1', port: 0 }}
    ${'127.0.0.2:9'}    | ${{ host: '127.0.0.2', port: 9 }}
    ${'localhost:1337'} | ${{ host: 'localhost', port: 1337 }}
    ${'[::1]:65535'}    | ${{ host: '::1', port: 65535 }}
  `('takes $text', ({ text, address }: { text: string; address: object }) => {
    expect(parseListenAddress(text)).toEqual(address);
  });

  it.each([
    '',
    'm.sock',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '0.0.0.0:80',
    '10.0.0.1:80',
    '127.evil.example:80',
    '[::]:80',
  ])('refuses "%s"', (text) => {
    expect(() => parseListenAddress(text)).toThrow('Cannot listen');
  });
});
