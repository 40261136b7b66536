import { project } from '../../tools/jest/project.mjs';

export default project('pgalloc');
