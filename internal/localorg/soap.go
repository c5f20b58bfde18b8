package localorg

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// lastSOAPLogin is the last API version that has login().
const lastSOAPLogin = 64

const maxLogin = 10 << 10 // bytes of a login request

// soapFault is a refusal in the form of the SOAP API.
type soapFault struct{ code, message string }

func (e *soapFault) Error() string { return e.code + ": " + e.message }

var (
	errLogin      = &soapFault{"INVALID_LOGIN", "Invalid username, password, security token; or user locked out."}
	errNoSecurity = &soapFault{"LOGIN_MUST_USE_SECURITY_TOKEN", "Invalid username, password, security token; or user locked out. Are you at a new location? When accessing Salesforce--either via a desktop client or the API--from outside of your company’s trusted networks, you must add a security token to your password to log in."}
)

// checkPassword finds a user by name and password; the security token, where the org has one, stands at the password's end.
func (o *Org) checkPassword(username, password string) ([]byte, *soapFault) {
	o.mu.RLock()
	user, ok := o.userByName(username)
	o.mu.RUnlock()
	switch {
	case !ok || o.cfg.Password == "" || !o.person(user).Active:
		return nil, errLogin
	case !o.person(user).Active:
		return nil, errLogin
	case same(password, o.cfg.Password+o.cfg.SecurityToken):
		return user, nil
	case same(password, o.cfg.Password):
		return nil, errNoSecurity
	}
	return nil, errLogin
}

// serveSOAP answers /services/Soap/u/NN.N, of which login() is there and nothing else.
func (o *Org) serveSOAP(w http.ResponseWriter, r *http.Request, version string) error {
	if r.Method != http.MethodPost {
		return refuse(405, "METHOD_NOT_ALLOWED", "HTTP Method '%s' not allowed. Allowed are POST", r.Method)
	}
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "text/xml" {
		return errMedia
	}
	user, err := o.soapLogin(r, version)
	var fault *soapFault
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	if errors.As(err, &fault) {
		w.WriteHeader(http.StatusInternalServerError)
		detail := ""
		if strings.Contains(fault.code, "LOGIN") {
			detail = fmt.Sprintf(`<detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>%s</sf:exceptionCode><sf:exceptionMessage>%s</sf:exceptionMessage></sf:LoginFault></detail>`, fault.code, escapeXML(fault.message))
		}
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><soapenv:Fault><faultcode>%s</faultcode><faultstring>%s: %s</faultstring>%s</soapenv:Fault></soapenv:Body></soapenv:Envelope>`,
			fault.code, fault.code, escapeXML(fault.message), detail)
		return nil
	}
	if err != nil {
		return err
	}
	o.mu.Lock()
	token := o.startSession(user, "", "")
	o.mu.Unlock()
	org, _ := parseID([]byte(orgID))
	p := o.person(user)
	base := escapeXML(baseURL(r))
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"><soapenv:Body><loginResponse><result>`+
		`<metadataServerUrl>%[1]s/services/Soap/m/%[2]s/%[3]s</metadataServerUrl><passwordExpired>false</passwordExpired><sandbox>false</sandbox>`+
		`<serverUrl>%[1]s/services/Soap/u/%[2]s/%[3]s</serverUrl><sessionId>%[4]s</sessionId><userId>%[5]s</userId>`+
		`<userInfo><organizationId>%[6]s</organizationId><sessionSecondsValid>%[7]d</sessionSecondsValid><userEmail>%[8]s</userEmail><userFullName>%[9]s</userFullName><userId>%[5]s</userId><userName>%[10]s</userName></userInfo>`+
		`</result></loginResponse></soapenv:Body></soapenv:Envelope>`,
		base, version, org.short(), token, user, org, int(o.cfg.TokenLife.Seconds()), escapeXML(p.Email), escapeXML(p.First+" "+p.Last), escapeXML(p.Username))
	return nil
}

// soapLogin reads a login request and finds its user.
func (o *Org) soapLogin(r *http.Request, version string) ([]byte, error) {
	n, err := parseVersion("v" + version)
	switch {
	case err != nil:
		return nil, &soapFault{"UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL"}
	case n > lastSOAPLogin: // the text is a guess
		return nil, &soapFault{"UNSUPPORTED_API_VERSION", "login() is not available from API version 65.0 on"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxLogin+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxLogin { // the text is a guess
		return nil, &soapFault{"REQUEST_LIMIT_EXCEEDED", "the login request is larger than 10 KB"}
	}
	var envelope struct {
		Body struct {
			Login *struct {
				Username string `xml:"username"`
				Password string `xml:"password"`
			} `xml:"urn:partner.soap.sforce.com login"`
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	if err := xml.Unmarshal(body, &envelope); err != nil || envelope.Body.Login == nil { // the text is a guess
		return nil, &soapFault{"soapenv:Client", "no login request found in the envelope"}
	}
	user, fault := o.checkPassword(envelope.Body.Login.Username, envelope.Body.Login.Password)
	if fault != nil {
		return nil, fault
	}
	return user, nil
}

func escapeXML(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(s))
	return b.String()
}
