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
export { type DiscriminatorOf, extend, type Extended, type ExtendOptions, type Without } from "./src/model/extend.ts";
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
export type { SqlToken } from "./src/sql/scan.ts";
export type { ResultSet, SqlValue, Statement } from "./src/sql/statement.ts";
export type { ColumnInfo, ColumnType, ForeignKeyInfo, OnDelete, TableInfo } from "./src/sql/table.ts";
export type { Codec, CursorSql, Dialect, RowLock } from "./src/sql/dialect.ts";
export { createAll, ddl, type DdlOptions, dropAll, type SchemaOptions } from "./src/execution/schema.ts";
export { pruneCommits } from "./src/execution/commit_record.ts";
export { InsertStatement, type OnConflict } from "./src/query/insert.ts";
export { deleteFrom, insert, update } from "./src/session/builders.ts";
export { Result, type Row, Scalars } from "./src/query/result.ts";
export type { Compilable } from "./src/query/compilable.ts";
export type { Page, PageOptions, StreamOptions } from "./src/query/paging.ts";
export { DeleteStatement, UpdateStatement } from "./src/query/write.ts";
export type { LockOptions } from "./src/query/select_node.ts";
export { Query, Select, select } from "./src/query/select.ts";
export {
  type ExecuteOptions,
  type GetOptions,
  type IdentityMapView,
  objectSession,
  Session,
  type TextOptions,
} from "./src/session/session.ts";
export {
  type IdentityKey,
  identityKey,
  inspect,
  type Inspection,
  type PropertyHistory,
} from "./src/session/inspect.ts";
export { type FactoryOptions, type RunOptions, type SessionFactory, sessionFactory } from "./src/session/factory.ts";
export type { Scope, SessionRegistry } from "./src/session/registry.ts";
export { type ScopedSession, scopedSession } from "./src/web/scoped.ts";
export {
  type ContextStorage,
  createSessionManager,
  type ManagerOptions,
  type SessionContext,
  type SessionManagement,
  type SessionManager,
  SessionManagerError,
} from "./src/web/manager.ts";
export type { Binds, Operation, Routing } from "./src/session/routing.ts";
export type { BindArgument, BindOptions } from "./src/session/branches.ts";
export type { BeginOptions, CloseOptions, CommitOptions, SessionMode, SessionOptions } from "./src/session/options.ts";
export type {
  CommittedEvent,
  EventHandler,
  ExecutedEvent,
  ExecuteEvent,
  HandlerOptions,
  OutcomeEvent,
  SavepointEvent,
  SavepointOutcomeEvent,
  SessionEvent,
  SessionEvents,
  SessionWarning,
  StateChangeEvent,
} from "./src/session/events.ts";
export type { Params, RawStatement } from "./src/session/statement.ts";
export type { TruncateOptions } from "./src/session/truncate.ts";
export type { WriteStatement } from "./src/session/writing.ts";
export type { StagedStatement } from "./src/session/extras.ts";
export {
  type StatementTransaction,
  type StatementTransactionOptions,
  type Transacting,
  transaction,
} from "./src/session/plain_transaction.ts";
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
  type CommitDecision,
  CommitOutcomeUnknownError,
  type CommitOutcomeUnknownOptions,
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
