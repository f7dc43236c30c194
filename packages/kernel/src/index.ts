export * from './contract.ts';
export * from './desired.ts';
