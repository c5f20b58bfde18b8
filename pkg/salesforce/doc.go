// Package salesforce talks to one Salesforce org: it logs in, sends requests, repeats those that may be repeated, and
// reads errors, describes and query answers. It knows nothing about bulk jobs; they stand on top of it.
//
// # Ideas to hold
//
// One org, one [Client], one transport. A Client is safe for concurrent use and is meant to be shared by everything that
// talks to the org, so that a refused token is replaced once for all and proxies, time-outs and limits are the same
// everywhere. It starts no goroutine.
//
// A login is an [Auth], one for each way: [AccessToken], [ClientCredentials], [JWTBearer], [RefreshToken], [WebLogin], [SOAPLogin],
// [SalesforceCLI]; [ParseSFDXURL] gives a RefreshToken. Where the org rotates refresh tokens, a [RefreshStore] sees to it that the next
// one is kept and that nobody uses one twice.
//
// The server's answer decides, never a guess. Each request carries a [Class] that says whether it may be sent again
// when nobody knows if the org acted on it. The zero class is the careful one.
//
//	what happened                                  class Repeat          class Ask
//	dial refused, no byte of the request written   again                 again
//	401                                            new token, again      new token, again
//	401 once more                                  ErrAuth               ErrAuth
//	429                                            again                 again
//	403 "ConcurrentRequests Limit exceeded"        again                 again
//	403 "TotalRequests Limit exceeded"             ErrLimit              ErrLimit
//	400 LIMIT_EXCEEDED of a bulk job               ErrLimit              ErrLimit
//	420, 500, 502, 503, 504, other 5xx             again                 ErrOutcomeUnknown
//	connection lost after a byte was written       again                 ErrOutcomeUnknown
//	the answer of [Client.JSON] cut or not JSON    again                 ErrOutcomeUnknown
//	any other 3xx or 4xx                           *APIError             *APIError
//	certificate not trusted                        error                 error
//
// "Again" means after a random pause that doubles its range with every attempt (or after what Retry-After says), until
// Config.Attempts is used up; then the error matches [ErrTemporary]. ErrTemporary therefore says that sending the same
// request later is safe, and [ErrOutcomeUnknown] says that it is not: read the state first.
//
//	          ┌────────────── pause ◀── temporary, may be repeated
//	          ▼                              ▲
//	open ─▶ send ─▶ answer 2xx or 304 ─▶ the caller reads and closes the body
//	          ▲  └─▶ 401 ─▶ one login for all ─┐
//	          └────────────────────────────────┘
//
// # What callers must do
//
//   - Close the body of every answer that [Client.Do] returns.
//   - Give the exact length of a body in [Request.Size]. A body that turns out longer or shorter is never delivered
//     whole: the connection is cut before its last bytes, and the call fails.
//   - After ErrOutcomeUnknown, look at the org before doing anything else.
//
// # What can fail and how to tell
//
// An answer that is not a success is an [*APIError] (use errors.As) with status, code, message and what to do next. Use
// errors.Is with [ErrConfig], [ErrAuth], [ErrLimit], [ErrTemporary] and [ErrOutcomeUnknown] to decide; never compare texts.
// A body that ends early is an error of its reader and matches ErrTemporary (class Ask: ErrOutcomeUnknown). HTTP cannot show the early end of an answer
// that has neither a length nor chunks nor compression; who reads such bodies must count rows.
//
// Tokens, passwords, client secrets and keys never get into errors or logs, nor do query texts and record values.
package salesforce
