package localorg_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"migrate/internal/localorg"
)

// A client is pointed at an org in process by its transport alone.
func Example() {
	org, err := localorg.Open(localorg.Config{AccessToken: "token"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer org.Close()
	client := &http.Client{Transport: org.Transport()}
	req, _ := http.NewRequest("POST", "https://any.host/services/data/v66.0/jobs/ingest",
		strings.NewReader(`{"object":"Foo__c","operation":"insert"}`))
	req.Header.Set("Authorization", "Bearer token")
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	fmt.Println(res.StatusCode, string(body))
	fmt.Println(org.Count("Account"), "accounts")
	// Output:
	// 400 [{"message":"InvalidJob : Unable to find object: Foo__c","errorCode":"INVALIDJOB"}]
	// 0 accounts
}
