/**
 * Shapes of JSON values, as plain data: docker-api makes its validation from them, and TypeScript infers three types
 * from each: what a request may hold, what the daemon reads from it, and what the daemon answers.
 *
 * As with Go's decoder, which clients are written against, a missing field and `null` both mean the zero value.
 */
import type { ErrorCode } from '@netyard/core';

declare const types: unique symbol;

export interface Shape<In = unknown, Out = unknown, Answer = unknown> {
  readonly kind: 'text' | 'flag' | 'whole' | 'any' | 'words' | 'size' | 'keys' | 'list' | 'map' | 'object';
  /** Of each element of a list or a map. */
  readonly item?: Shape;
  readonly fields?: FieldTable;
  /** An object in a map that may also be null. Lists and maps always may: null is an empty one. */
  readonly nullable?: true;
  readonly [types]?: { in: In; out: Out; answer: Answer };
}

export type InOf<S> = S extends Shape<infer In, unknown, unknown> ? In : never;
export type OutOf<S> = S extends Shape<unknown, infer Out, unknown> ? Out : never;
export type AnswerOf<S> = S extends Shape<unknown, unknown, infer Answer> ? Answer : never;

/** How a field of a request is filled on the command line; without the check of its value, which is the CLI's. */
export interface FlagFacts {
  readonly name: string;
  readonly short?: string;
  /** As `--help` shows it: string, bool, int, bytes, list, … */
  readonly type: string;
  readonly help: string;
  readonly default?: string;
  readonly hidden?: true;
  /** Of the docker command only: what it does is nothing that Netyard's own command could ask for. */
  readonly dockerOnly?: true;
  /** What a shell offers: a list of names, or a kind of object. */
  readonly complete?: string | readonly string[];
  /** The commands that have it. */
  readonly on: readonly FlagCommand[];
}

export type FlagCommand = 'run' | 'create' | 'update' | 'exec' | 'network create' | 'network connect' | 'volume create';

export type Status =
  | 'supported'
  /** A request with it fails. Docker's message where Docker rejects it too. */
  | { readonly rejected: string; readonly code: ErrorCode; readonly hint?: string }
  /** Accepted, with this warning in the answer. */
  | { readonly warning: string }
  /** Accepted and without effect, as in Docker itself; says why. */
  | { readonly ignored: string };

/** What is known about a field besides its shape. */
export interface Facts {
  /** API version 1.N that has the field: sent with an older version it is ignored, as by a daemon of that time. */
  readonly since?: number;
  readonly flags?: readonly FlagFacts[];
  /** Flags of other fields that fill this one too. */
  readonly also?: readonly string[];
  /** Absent means supported. */
  readonly status?: Status;
  /** Left out of JSON while it has its zero value (Go's `omitempty`). */
  readonly omitEmpty?: true;
  /** A list or map without elements is `[]` or `{}` in JSON; otherwise `null`. */
  readonly emptyAsValue?: true;
  /** Has to be in every request. */
  readonly required?: true;
  /** For docs/compatibility.md. */
  readonly remark?: string;
}

/** `missing`: what the daemon reads for an absent field. */
export type Field<S extends Shape = Shape, Missing extends 'zero' | 'none' = 'zero' | 'none'> = Facts & {
  readonly shape: S;
  readonly missing: Missing;
};

export type FieldTable = Readonly<Record<string, Field>>;

type RequiredKeys<T> = { [K in keyof T]: T[K] extends { required: true } ? K : never }[keyof T];
type OmittedKeys<T> = { [K in keyof T]: T[K] extends { omitEmpty: true } ? K : never }[keyof T];
type ShapeIn<F> = F extends { shape: infer S } ? InOf<S> : never;
type ShapeAnswer<F> = F extends { shape: infer S } ? AnswerOf<S> : never;
type Simplify<T> = { [K in keyof T]: T[K] };

type OutOfField<F> =
  F extends Field<infer S, infer Missing> ? ('none' extends Missing ? OutOf<S> | null | undefined : OutOf<S>) : never;

type InOfField<F> = F extends { omitEmpty: true }
  ? ShapeIn<F>
  : F extends { missing: 'none' }
    ? ShapeIn<F> | null
    : ShapeIn<F>;

/** What a client sends. */
export type Input<T> = Simplify<
  { [K in RequiredKeys<T>]: InOfField<T[K]> } & { [K in Exclude<keyof T, RequiredKeys<T>>]?: InOfField<T[K]> }
>;
/** What the daemon reads from it: zero values where nothing was sent. */
export type Output<T> = { [K in keyof T]: OutOfField<T[K]> };

type AnswerOfField<F> = F extends { missing: 'none'; omitEmpty: true }
  ? ShapeAnswer<F>
  : F extends { missing: 'none' }
    ? ShapeAnswer<F> | null
    : ShapeAnswer<F>;

/** The same fields as the daemon shows them. */
export type Answer<T> = Simplify<
  { [K in Exclude<keyof T, OmittedKeys<T>>]: AnswerOfField<T[K]> } & { [K in OmittedKeys<T>]?: AnswerOfField<T[K]> }
>;

const shape = <In, Out, A>(kind: Shape['kind'], more: Omit<Shape, 'kind'> = {}): Shape<In, Out, A> =>
  ({ kind, ...more }) as Shape<In, Out, A>;

export const text = shape<string, string, string>('text');
export const flag = shape<boolean, boolean, boolean>('flag');
export const whole = shape<number, number, number>('whole');
/** Accepted whatever it is. */
export const anything = shape<unknown, unknown, unknown>('any');
/** One string or several (Go's strslice). */
export const words = shape<string[] | string, string[], string[]>('words');
/** Rows and columns of a terminal. */
export const size = shape<[number, number], [number, number], [number, number]>('size');
/** Go's `map[string]struct{}`: a set. */
type Keys = Record<string, Record<string, never>> | null;
export const keys = shape<Keys, string[], Keys>('keys');

/** Text of which a client's types know the values; the daemon reads any. */
export const oneOf = <T extends string>(): Shape<T, string, T> => shape('text');

export const list = <S extends Shape>(item: S): Shape<InOf<S>[] | null, OutOf<S>[], AnswerOf<S>[] | null> =>
  shape('list', { item });

export const map = <S extends Shape>(
  item: S,
): Shape<Record<string, InOf<S>> | null, Record<string, OutOf<S>>, Record<string, AnswerOf<S>> | null> =>
  shape('map', { item });

export const object = <const T extends FieldTable>(fields: T): Shape<Input<T>, Output<T>, Answer<T>> =>
  shape('object', { fields });

/** For objects in a map. */
export const orNull = <In, Out, A>(inner: Shape<In, Out, A>): Shape<In | null, Out | null, A | null> =>
  ({ ...inner, nullable: true }) as Shape<In | null, Out | null, A | null>;

/** A field that reads as its shape's zero value when it is missing. */
export const zero = <S extends Shape, const F extends Facts = Record<never, never>>(
  of: S,
  facts?: F,
): Field<S, 'zero'> & F => ({ shape: of, missing: 'zero', ...facts }) as Field<S, 'zero'> & F;

/** A field whose absence means something of its own. */
export const none = <S extends Shape, const F extends Facts = Record<never, never>>(
  of: S,
  facts?: F,
): Field<S, 'none'> & F => ({ shape: of, missing: 'none', ...facts }) as Field<S, 'none'> & F;
