package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// SalesforceCLI is an Auth that uses a login of the Salesforce CLI: it asks the program sf, which keeps and renews the tokens. Nothing
// goes through the given transport.
type SalesforceCLI struct {
	Org     string   // alias or user name, as sf knows it
	Program string   // default sf, looked up on PATH
	Env     []string // its environment; nil = that of this process
}

// cliTime is how long one call of sf may take; it starts within seconds and talks to the org.
const cliTime = 2 * time.Minute

// Token asks sf for the org's address and its token. Since version 2.136.8 "sf org display" hides the token and "sf org auth
// show-access-token" gives it; older versions know the first alone.
func (s SalesforceCLI) Token(ctx context.Context, _ http.RoundTripper) (Token, error) {
	if s.Org == "" || strings.HasPrefix(s.Org, "-") {
		return Token{}, configError{fmt.Errorf("%q is no org of the Salesforce CLI; give an alias or a user name, as sf org list shows them", s.Org)}
	}
	shown, err := s.ask(ctx, "org", "display")
	if err != nil {
		return Token{}, err
	}
	token := Token{AccessToken: shown.AccessToken, InstanceURL: strings.TrimSuffix(shown.InstanceURL, "/")}
	if token.AccessToken == "" || strings.Contains(token.AccessToken, "REDACTED") {
		told, err := s.ask(ctx, "org", "auth", "show-access-token")
		if err != nil {
			return Token{}, fmt.Errorf("sf org display hides the token, and %w", err)
		}
		token.AccessToken = told.AccessToken
	}
	if token.AccessToken == "" || strings.Contains(token.AccessToken, "REDACTED") {
		return Token{}, fmt.Errorf("the Salesforce CLI gives no access token for %s; update it: %w", s.Org, ErrAuth)
	}
	if err := token.check(); err != nil {
		return Token{}, fmt.Errorf("the Salesforce CLI, org %s: %w", s.Org, err)
	}
	return token, nil
}

// cliResult is what two commands of sf tell.
type cliResult struct {
	AccessToken string `json:"accessToken"`
	InstanceURL string `json:"instanceUrl"`
}

// ask runs one command of sf and reads its JSON. sf answers on stdout, refusals as well.
func (s SalesforceCLI) ask(ctx context.Context, command ...string) (cliResult, error) {
	name := "sf " + strings.Join(command, " ")
	limited, cancel := context.WithTimeout(ctx, cliTime)
	defer cancel()
	cmd := exec.CommandContext(limited, firstOf(s.Program, "sf"), append(command, "--target-org", s.Org, "--json")...)
	cmd.Env = s.Env
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.WaitDelay = time.Second // for what sf leaves running
	runErr := cmd.Run()
	var answer struct {
		Status  int       `json:"status"`
		Name    string    `json:"name"`
		Message string    `json:"message"`
		Result  cliResult `json:"result"`
	}
	parseErr := json.Unmarshal(out.Bytes(), &answer)
	switch {
	case ctx.Err() != nil:
		return cliResult{}, fmt.Errorf("%s: %w", name, ctx.Err())
	case limited.Err() != nil:
		return cliResult{}, fmt.Errorf("%s did not end within %v: %w", name, cliTime, ErrTemporary)
	case errors.Is(runErr, exec.ErrNotFound):
		return cliResult{}, configError{fmt.Errorf("the Salesforce CLI (%s) is not on PATH; install it, or log in another way", firstOf(s.Program, "sf"))}
	case parseErr == nil && (answer.Status != 0 || runErr != nil):
		return cliResult{}, fmt.Errorf("%s --target-org %s: %s: %w", name, s.Org, withoutTokens(firstOf(strings.Trim(answer.Name+": "+answer.Message, ": "), "it failed without a reason")), ErrAuth)
	case runErr != nil:
		return cliResult{}, fmt.Errorf("%s --target-org %s: %w: %s", name, s.Org, runErr, withoutTokens(firstOf(complaint.String(), out.String())))
	case parseErr != nil:
		return cliResult{}, fmt.Errorf("%s --target-org %s: its answer is not JSON; update the Salesforce CLI", name, s.Org)
	}
	return answer.Result, nil
}

// tokenForms are the forms of secrets in what sf says: access tokens, auth URLs, refresh tokens.
var tokenForms = regexp.MustCompile(`00D[0-9A-Za-z]{12}![^\s"']+|force://[^\s"']+|5Aep[^\s"']+`)

// withoutTokens makes one line of what sf says and hides its secrets.
func withoutTokens(text string) string {
	return oneLine(tokenForms.ReplaceAllString(text, "[secret]"), 300)
}

// String shows the org.
func (s SalesforceCLI) String() string { return "login of the Salesforce CLI for " + s.Org }

// Format writes String for every verb.
func (s SalesforceCLI) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue is String.
func (s SalesforceCLI) LogValue() slog.Value { return slog.StringValue(s.String()) }
