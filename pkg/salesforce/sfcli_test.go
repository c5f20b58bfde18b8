package salesforce_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"migrate/pkg/salesforce"
)

// fakeCLI makes an org of testdata/sf, the program that plays sf: display and show are what two of its commands do, in the shell's language.
func fakeCLI(t *testing.T, display, show string) salesforce.SalesforceCLI {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("testdata", "sf"))
	if err != nil {
		t.Fatal(err)
	}
	org := filepath.Join(t.TempDir(), "dev")
	if err := os.Mkdir(org, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"display": display, "show": show} {
		if err := os.WriteFile(filepath.Join(org, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return salesforce.SalesforceCLI{Org: org, Program: program}
}

const (
	displayNew = `echo '{"status":0,"result":{"id":"00D5g0000000001EAA","apiVersion":"66.0","accessToken":"[REDACTED] Use sf org auth show-access-token","instanceUrl":"https://acme.my.salesforce.com","username":"jo@acme.example","clientId":"PlatformCLI","connectedStatus":"Connected","alias":"dev"},"warnings":[]}'`
	displayOld = `echo '{"status":0,"result":{"accessToken":"` + testToken + `","instanceUrl":"https://acme.my.salesforce.com/","username":"jo@acme.example","connectedStatus":"Connected"}}'`
	showNew    = `echo '{"status":0,"result":{"accessToken":"` + testToken + `"},"warnings":[]}'`
	unknown    = `echo 'Warning: org auth show-access-token is not a sf command.' >&2; exit 127`
)

func TestSalesforceCLI(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, display, show string
		want, say           string
		calls               string
	}{
		{"new", displayNew, showNew, "ok", "", "org display --target-org dev --json\norg auth show-access-token --target-org dev --json\n"},
		{"old", displayOld, unknown, "ok", "", "org display --target-org dev --json\n"},
		{"new, with a note on stderr", `echo ' ›   Warning: update available' >&2; ` + displayNew, showNew, "ok", "", ""},
		{"hidden, and the new command is not there", displayNew, unknown, "error", "dev: exit status 127: Warning: org auth", ""},
		{"hidden twice", displayNew, `echo '{"status":0,"result":{"accessToken":"[REDACTED]"}}'`, "authentication refused", "gives no access token for", ""},
		{"unknown org", `echo '{"status":1,"name":"NamedOrgNotFoundError","message":"No authorization information found for dev.","exitCode":1}'; exit 1`, "", "authentication refused", "NamedOrgNotFoundError: No authorization information found for dev.", ""},
		{"refused, exit status 0", `echo '{"status":1,"message":"nope"}'`, "", "authentication refused", "nope", ""},
		{"expired", displayNew, `echo '{"status":1,"name":"RefreshTokenAuthError","message":"expired access/refresh token for ` + testToken + `"}'; exit 1`, "authentication refused", "expired access/refresh token for [secret]", ""},
		{"crash", `echo "TypeError: x force://a::5Aep1@h 5Aep861.xyz ` + testToken + `" >&2; exit 1`, "", "error", "exit status 1: TypeError: x [secret] [secret] [secret]", ""},
		{"no JSON", `echo hello`, "", "error", "not JSON", ""},
		{"nothing", `true`, "", "error", "not JSON", ""},
		{"no instance", `echo '{"status":0,"result":{"accessToken":"a!b"}}'`, "", "error", "instance URL is missing", ""},
		{"token of two lines", `printf '%s' '{"status":0,"result":{"accessToken":"a!b\nc","instanceUrl":"https://acme.example"}}'`, "", "authentication refused", "blanks or characters", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cli := fakeCLI(t, tt.display, tt.show)
			c, err := salesforce.Open(t.Context(), salesforce.Config{Auth: cli, Sleep: noSleep})
			if outcome(err) != tt.want {
				t.Fatalf("got %s: %v", outcome(err), err)
			}
			made, err2 := os.ReadFile(filepath.Join(cli.Org, "calls"))
			calls := strings.ReplaceAll(string(made), cli.Org, "dev")
			if err2 != nil || tt.calls != "" && calls != tt.calls || strings.Contains(calls, "00D5g") {
				t.Errorf("sf was called so:\n%s", calls)
			}
			if err == nil {
				if c.InstanceURL() != "https://acme.my.salesforce.com" || c.OrgID() != "00D5g0000000001" {
					t.Errorf("got %s, %s", c.InstanceURL(), c.OrgID())
				}
				return
			}
			if !strings.Contains(err.Error(), tt.say) || strings.Contains(err.Error(), "secret_one") || strings.Contains(err.Error(), "5Aep") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSalesforceCLIMissing(t *testing.T) {
	t.Parallel()
	_, err := salesforce.SalesforceCLI{Org: "dev", Program: "sf-that-is-not-there"}.Token(t.Context(), nil)
	if !errors.Is(err, salesforce.ErrConfig) || !strings.Contains(err.Error(), "is not on PATH; install it") {
		t.Errorf("got %v", err)
	}
	for _, org := range []string{"", "--json", "-o"} { // sf would take it for a flag
		if _, err := (salesforce.SalesforceCLI{Org: org, Program: "true"}).Token(t.Context(), nil); !errors.Is(err, salesforce.ErrConfig) || !strings.Contains(err.Error(), "is no org of the Salesforce CLI") {
			t.Errorf("%q: %v", org, err)
		}
	}
}

// TestSalesforceCLIInterrupted: sf hangs, with a child that holds its output open.
func TestSalesforceCLIInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := fakeCLI(t, `sleep 10; true`, "").Token(ctx, nil)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > soon {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}
