package localorg

import (
	"crypto/rsa"
	"errors"
	"io/fs"
	"log/slog"
	"time"
)

// Config says what an org is like. The zero value is an org in memory with the built-in schema that works as fast as
// it can and that nobody can log in to: set AccessToken, or ClientID with ClientSecret or JWTKey.
type Config struct {
	// Dir is the folder that keeps the org across processes; it is made when it is missing. "" keeps the org in
	// memory, with uploads in a temporary folder that Close removes. The journal in Dir only grows; a folder that has
	// become too large is removed as a whole.
	Dir string
	// Schema holds describe snapshots, one *.json per object in the form of the org's own describe answer.
	// nil: the built-in set.
	Schema fs.FS
	// Seed decides ids and the order of results. 0 means 1. A kept org goes on with the seed that it was made with.
	Seed uint64
	// Now is the clock of the org. nil: time.Now.
	Now func() time.Time

	// AccessToken is valid without a login and never expires. "": none.
	AccessToken string
	// ClientID and ClientSecret are accepted by the client credentials flow; ClientID is the issuer of JWT assertions.
	ClientID, ClientSecret string
	// JWTKey checks JWT bearer assertions (RS256). nil: the flow is refused.
	JWTKey *rsa.PublicKey
	// Password and SecurityToken, one behind the other, are what every user of the org logs in with over SOAP and by the
	// username-password flow. "": these ways are closed.
	Password, SecurityToken string
	// RedirectURIs are where the web server flow may send a browser, besides addresses on the machine itself.
	RedirectURIs []string
	// RotateRefresh makes refresh tokens work once: each use brings a new one, and a second use ends all that came from
	// the login.
	RotateRefresh bool
	// NotApproved, NoRunAs and NoIntrospection make the app that ClientID names one that no administrator approved for
	// users, that has no user for client credentials, and that may not introspect tokens.
	NotApproved, NoRunAs, NoIntrospection bool
	// TokenLife is how long a token from a login works, counted from the login; stricter than a real org, where
	// use prolongs it. 0: two hours.
	TokenLife time.Duration

	// StartDelay is the time that a closed job waits before it is looked at. 0: none.
	StartDelay time.Duration
	// BatchTime is the service time of an internal batch of 10,000 rows; smaller ones take their share. 0: none.
	BatchTime time.Duration
	// SlowRetries lets a chunk with failed rows take its time twice, since the org runs it again without them. Documents say
	// that it does, and not what it costs. Default: once.
	SlowRetries bool
	// LockParents says which parents a save locks until its chunk is committed, as "Object.Field" of lookups; a part of "*" fits
	// all. Nothing is locked when BatchTime is 0. Documents name examples only. nil: lookups to Account or Campaign, and those
	// whose children are deleted with the parent.
	LockParents []string
	// LockWait is how long a chunk waits for locks. 0: 10 s.
	LockWait time.Duration
	// LockFailures is how many rows of a batch may fail for want of a lock before the rest of it goes back into the queue, and
	// LockRetries how many times that may be before the job fails. 0: 100 and 10.
	LockFailures, LockRetries int
	// Slots is how many internal batches are processed at once. 0: 4.
	Slots int
	// KeepOrder gives results in upload order. By default they are shuffled, since Salesforce promises no order.
	KeepOrder bool

	// MaxUpload is the size limit of one upload in bytes after base64. 0: 150,000,000, which is 112,500,000 bytes as sent.
	MaxUpload int64
	// DailyAPI is how many requests are allowed in 24 hours. 0: 100,000.
	DailyAPI int64
	// LongCalls is how many calls may take longer than 20 seconds at one time; further calls are refused meanwhile. 0: 25.
	LongCalls int
	// DailyBatches is how many internal batches are allowed in 24 hours; a job also takes one for itself. 0: 15,000.
	DailyBatches int64
	// DailyRecords is how many ingest rows are allowed in 24 hours. 0: 150,000,000.
	DailyRecords int64
	// DailyQueryJobs is how many query jobs may be made in 24 hours. 0: 10,000.
	DailyQueryJobs int64
	// DataStorage is how many bytes the records may take; a record counts for 2 KB as Salesforce reckons it for nearly all
	// objects, and those in the recycle bin count for nothing (guess). 0: 1 TB.
	DataStorage int64
	// Sink makes the org one that keeps no rows, to measure clients that shall not be slowed: uploads are counted as they come
	// and nothing but the shape of their CSV is looked at; all rows of a job succeed, at once and without daily limits on
	// batches and records. Result files hold the header only.
	Sink bool
	// ResultPage is how many records a page of query job results has where the client names no number; documents are
	// silent. 0: 50,000.
	ResultPage int
	// ResultFile is the size in bytes at which a page of query job results ends. 0: 1 GB.
	ResultFile int64
	// JobsPerPage is the page size of job lists. 0: 1,000.
	JobsPerPage int
	// QueryPage is the page size of query answers. 0: 2,000.
	QueryPage int

	// QueryRows is how many records a query may give before it times out, as one does that takes the org more than two minutes: over REST it
	// is refused, a query job fails after the org has tried it 15 times, for which nobody waits here. A LIMIT counts, COUNT() and other aggregates
	// do not: CountRows is how many records they may find. 0: no bound.
	QueryRows, CountRows int

	// AuditFields says whether CreatedDate, CreatedById, LastModifiedDate and LastModifiedById may be set on insert.
	// nil: as the snapshots say; with the built-in ones they may.
	AuditFields *bool
	// NoHardDelete takes away the permission for hardDelete.
	NoHardDelete bool
	// AutoNumbers gives the display format of auto number fields by "Object.Field". Others get "{00000000}".
	// nil: the formats of the built-in schema.
	AutoNumbers map[string]string

	// The rest are choices where the documents are silent or disagree.

	// RetriedText is the errorMessage of a query job that timed out. An older guide has the default's words after the colon for 15 attempts, a
	// newer one "Retried more than thirty times". "": InternalServerError : Retried more than fifteen times
	RetriedText string
	// EchoTyped writes dates, datetimes, booleans and #N/A of result files in the org's own form, as it does with
	// numbers. Default: as uploaded.
	EchoTyped bool
	// CommaResults writes result files with commas whatever the job's delimiter. Default: the job's.
	CommaResults bool
	// EarlyResults lets result files be read before the job has ended. Default: 400 INVALIDJOBSTATE.
	EarlyResults bool
	// LoseOverQuota leaves the rows for which a daily limit had no room out of the unprocessed records, so that they are in no
	// result file, as one document says. Default: they are unprocessed.
	LoseOverQuota bool
	// DeprecatedBelow is the first API version that is not deprecated; answers to those below bear a Warning header. 0: none is.
	DeprecatedBelow int
	// CloseEmpty lets a job be closed that got no upload; it ends JobComplete with no rows. Default: 400 INVALIDJOBSTATE.
	CloseEmpty bool
	// WrongColumnsFailJob fails the job when a row has too few or too many columns. Default: the row fails.
	WrongColumnsFailJob bool
	// BlankByQuoteFailsJob fails the job when a blank stands between a delimiter and a quote. Default: the row fails.
	BlankByQuoteFailsJob bool
	// OlderBatchTexts tells a fault of an upload as older recordings have it: "InvalidBatch : InvalidBatch : … . Batch will not
	// be retried." Default: without the repetition and the last sentence.
	OlderBatchTexts bool
	// ColumnsFromOne counts columns from one in "Failed to deserialize field at col". Default: from zero.
	ColumnsFromOne bool
	// FirstDuplicateWins saves the first of several rows with one external id in a chunk. Default: all of them fail.
	FirstDuplicateWins bool
	// SeeSiblings lets relationship columns find parents that earlier rows of the same job made. Default: they are not seen.
	SeeSiblings bool
	// CaseSensitiveHeaders matches column names exactly. Default: in any case.
	CaseSensitiveHeaders bool
	// NoGzip answers plain even when the client accepts gzip.
	NoGzip bool
	// RefuseGzipUpload answers 415 to an upload with Content-Encoding: gzip. Default: it is unpacked.
	RefuseGzipUpload bool

	// Logger hears about jobs and faults at debug level and about damage at error level. nil: silent.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Seed == 0 {
		c.Seed = 1
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.TokenLife == 0 {
		c.TokenLife = 2 * time.Hour
	}
	if c.LockWait == 0 {
		c.LockWait = 10 * time.Second
	}
	if c.LockFailures == 0 {
		c.LockFailures = 100
	}
	if c.LockRetries == 0 {
		c.LockRetries = 10
	}
	if c.Slots == 0 {
		c.Slots = 4
	}
	if c.MaxUpload == 0 {
		c.MaxUpload = 150_000_000
	}
	if c.DailyAPI == 0 {
		c.DailyAPI = 100_000
	}
	if c.LongCalls == 0 {
		c.LongCalls = 25
	}
	if c.DailyBatches == 0 {
		c.DailyBatches = 15_000
	}
	if c.DailyRecords == 0 {
		c.DailyRecords = 150_000_000
	}
	if c.DataStorage == 0 {
		c.DataStorage = 1_000_000_000_000
	}
	if c.DailyQueryJobs == 0 {
		c.DailyQueryJobs = 10_000
	}
	if c.ResultPage == 0 {
		c.ResultPage = 50_000
	}
	if c.ResultFile == 0 {
		c.ResultFile = 1_000_000_000
	}
	if c.JobsPerPage == 0 {
		c.JobsPerPage = 1_000
	}
	if c.QueryPage == 0 {
		c.QueryPage = 2_000
	}
	if c.RetriedText == "" {
		c.RetriedText = "InternalServerError : Retried more than fifteen times"
	}
	if c.AutoNumbers == nil {
		c.AutoNumbers = map[string]string{"Invoice__c.Name": "INV-{000000}", "Case.CaseNumber": "{00000000}"}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// ConfigError says that an org cannot be as its Config wants it; the folder in Config.Dir was not touched.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return e.Err.Error() }
func (e *ConfigError) Unwrap() error { return e.Err }

func (c Config) check() error {
	switch {
	case c.LockFailures < 0 || c.LockRetries < 0:
		return errors.New("localorg: lock failures and retries must not be negative")
	case c.Slots < 0:
		return errors.New("localorg: slots must be positive")
	case c.StartDelay < 0 || c.BatchTime < 0 || c.LockWait < 0 || c.TokenLife < 0:
		return errors.New("localorg: times must not be negative")
	case c.MaxUpload < 0 || c.DailyAPI < 0 || c.LongCalls < 0 || c.DailyBatches < 0 || c.DailyRecords < 0 || c.DataStorage < 0 || c.DailyQueryJobs < 0:
		return errors.New("localorg: limits must not be negative")
	case c.QueryRows < 0 || c.CountRows < 0:
		return errors.New("localorg: bounds of queries must not be negative")
	case c.JobsPerPage < 0 || c.QueryPage < 0 || c.ResultPage < 0 || c.ResultFile < 0:
		return errors.New("localorg: page sizes must not be negative")
	}
	return nil
}
