/**
 * Ledge: a session for SQL over HTTP drivers. Load objects, change them, commit them together in one request.
 *
 * @example
 * ```ts
 * import { createAll, model, Session, t } from "@ledge/session";
 * import { libsql } from "@ledge/session/libsql/local";
 *
 * class Author extends model("authors", { id: t.uuid().primaryKey(), name: t.text() }) {}
 *
 * const db = libsql({ url: ":memory:" });
 * await createAll(db, [Author]);
 * await using session = new Session({ bind: db });
 * session.add(new Author({ name: "Ann" }));
 * await session.commit();
 * ```
 *
 * @module
 */
export {
  type AnyColumn,
  Column,
  type ColumnFlags,
  type ColumnTypes,
  type DecimalOptions,
  type Plain,
  t,
  type With,
} from "./src/model/columns.ts";
export { model, type ModelOptions } from "./src/model/model.ts";
export { uuidv7 } from "./src/model/uuid.ts";
export {
  belongsTo,
  type BelongsToOptions,
  type Cascade,
  type ForeignKeyIn,
  hasMany,
  hasOne,
  type HasOptions,
  manyToMany,
  type ManyToManyOptions,
  type Names,
  Relation,
  type RelationKind,
} from "./src/model/relations.ts";
export type { Declared, ModelArgument } from "./src/model/declared.ts";
export type {
  AnyModel,
  Columns,
  ColumnsOf,
  Create,
  Entity,
  Include,
  Insert,
  Key,
  KeyNames,
  Loaded,
  ModelClass,
  ModelOf,
  Props,
  RelationKeys,
  Target,
  ValueOf,
} from "./src/model/types.ts";
export type {
  Assign,
  Equality,
  Matching,
  Op,
  OrderBy,
  OrderByObject,
  Ordering,
  Where,
  WhereObject,
} from "./src/model/query_types.ts";
export { Sql, sql, type SqlPart, type SqlTag } from "./src/sql/tag.ts";
export type { ResultSet, SqlValue, Statement } from "./src/sql/statement.ts";
export type { ColumnInfo, ColumnType, ForeignKeyInfo, OnDelete, TableInfo } from "./src/sql/table.ts";
export type { Codec, Dialect, RowLock } from "./src/sql/dialect.ts";
export { createAll, ddl, dropAll } from "./src/execution/schema.ts";
export { insert, InsertStatement, type OnConflict } from "./src/query/insert.ts";
export { Result, type Row, Scalars } from "./src/query/result.ts";
export type { LockOptions } from "./src/query/select_node.ts";
export { Query, Select, select } from "./src/query/select.ts";
export {
  type ExecuteOptions,
  type GetOptions,
  type IdentityMapView,
  objectSession,
  Session,
} from "./src/session/session.ts";
export {
  type IdentityKey,
  identityKey,
  inspect,
  type Inspection,
  type PropertyHistory,
} from "./src/session/inspect.ts";
export { type RunOptions, type SessionFactory, sessionFactory } from "./src/session/factory.ts";
export type { BeginOptions, CommitOptions, SessionMode, SessionOptions } from "./src/session/options.ts";
export type { EventHandler, SessionEvents, SessionWarning } from "./src/session/events.ts";
export type { StagedStatement } from "./src/session/extras.ts";
export type { SessionTransaction } from "./src/session/scope.ts";
export type { ObjectState } from "./src/state/instance_state.ts";
export type {
  CallOptions,
  Capabilities,
  Connection,
  Database,
  IsolationLevel,
  PreparableConnection,
  TransactionOptions,
  TwoPhase,
} from "./src/database.ts";
export {
  AuthenticationError,
  CheckViolationError,
  CommitOutcomeUnknownError,
  ConnectionError,
  DatabaseError,
  type DatabaseErrorOptions,
  DataError,
  DeadlockError,
  DetachedInstanceError,
  type ErrorCode,
  ExpiredPropertyError,
  ForeignKeyViolationError,
  IntegrityError,
  InvalidStateError,
  LedgeError,
  LockTimeoutError,
  MultipleResultsError,
  NoResultError,
  NotNullViolationError,
  ObjectDeletedError,
  RequirementError,
  SerializationError,
  StaleDataError,
  StatementError,
  TimeoutError,
  TransactionLostError,
  UniqueViolationError,
  UnsupportedError,
  ValidationError,
} from "./src/errors.ts";
