/** Bun's bundler gives the address of such a file. */
declare module "*.svg" {
  const path: string;
  export default path;
}
