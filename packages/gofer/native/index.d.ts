/** Path of the gofer's program. */
export declare const program: string;
